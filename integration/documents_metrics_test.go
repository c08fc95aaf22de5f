package integration

import (
	"encoding/json"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/manysends/caddy-webhooks/receiver"
	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/sqlitestore"
)

// exported are the metrics that the code exports, with their labels.
func exported(t *testing.T) map[string][]string {
	t.Helper()
	store, err := sqlitestore.Open(filepath.Join(t.TempDir(), "webhooks.db"), sqlitestore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := sender.New(sender.Config{}, store, sender.Options{})
	if err != nil {
		t.Fatal(err)
	}
	state := receiver.NewState(receiver.StateOptions{Name: "r"})
	descs := make(chan *prometheus.Desc)
	go func() {
		s.Collector().Describe(descs)
		state.Collector().Describe(descs)
		close(descs)
	}()
	metrics := make(map[string][]string)
	form := regexp.MustCompile(`fqName: "([^"]+)".*constLabels: \{([^}]*)\}, variableLabels: \{([^}]*)\}`)
	for d := range descs {
		m := form.FindStringSubmatch(d.String())
		if m == nil {
			t.Fatalf("a metric describes itself as %s", d)
		}
		var labels []string
		for _, list := range m[2:] {
			for label := range strings.SplitSeq(list, ",") {
				if label, _, _ = strings.Cut(label, "="); label != "" {
					labels = append(labels, label)
				}
			}
		}
		slices.Sort(labels)
		metrics[m[1]] = labels
	}
	state.Close()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := store.Close(); err != nil {
		t.Error(err)
	}
	return metrics
}

// metricName finds the names of our metrics, with the selector behind them.
var metricName = regexp.MustCompile(`(caddy_webhooks_[a-z_]+)(\{[^}]*\})?`)

// TestDocumentedMetrics compares the tables of metrics in docs/operating.md with
// what the code exports: all of them are there, with their labels, and nothing
// else is.
func TestDocumentedMetrics(t *testing.T) {
	metrics := exported(t)
	documented := make(map[string][]string)
	row := regexp.MustCompile("(?m)^\\| `(caddy_webhooks_[a-z_]+)` \\|([^|]*)\\|")
	for _, m := range row.FindAllStringSubmatch(readFile(t, "../docs/operating.md"), -1) {
		var labels []string
		for _, label := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(m[2], -1) {
			labels = append(labels, label[1])
		}
		slices.Sort(labels)
		documented[m[1]] = labels
	}
	for _, name := range slices.Sorted(maps.Keys(metrics)) {
		if labels, ok := documented[name]; !ok {
			t.Errorf("docs/operating.md does not have %s %v", name, metrics[name])
		} else if !slices.Equal(labels, metrics[name]) {
			t.Errorf("docs/operating.md says that %s has the labels %v: it has %v", name, labels, metrics[name])
		}
	}
	for name := range documented {
		if metrics[name] == nil && !has(metrics, name) {
			t.Errorf("docs/operating.md has %s, which the code does not", name)
		}
	}
}

func has(metrics map[string][]string, name string) bool {
	_, ok := metrics[name]
	return ok
}

// checkQuery checks that a query names metrics and labels that there are.
func checkQuery(t *testing.T, where, query string, metrics map[string][]string) {
	t.Helper()
	for _, m := range metricName.FindAllStringSubmatch(query, -1) {
		name, labels := m[1], metrics[m[1]]
		if !has(metrics, name) {
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				if base, cut := strings.CutSuffix(name, suffix); cut && has(metrics, base) {
					name, labels = base, append(slices.Clone(metrics[base]), "le")
				}
			}
		}
		if !has(metrics, name) {
			t.Errorf("%s names the metric %s, which there is not", where, m[1])
			continue
		}
		for _, label := range regexp.MustCompile(`([a-z_]+)\s*(?:=|!)`).FindAllStringSubmatch(m[2], -1) {
			if !slices.Contains(labels, label[1]) && label[1] != "job" && label[1] != "instance" {
				t.Errorf("%s: %s has no label %s but %v", where, name, label[1], labels)
			}
		}
	}
}

// checkPrometheus checks queries, and rules as Prometheus itself does.
func checkPrometheus(t *testing.T, b docBlock) {
	checkQuery(t, b.String(), b.text, exported(t))
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "block.yml"), b.text)
	switch {
	case b.language == "promql":
		quoted, err := json.Marshal(strings.TrimSpace(b.text))
		if err != nil {
			t.Fatal(err)
		}
		rules := "groups: [{name: block, rules: [{record: block, expr: " + string(quoted) + "}]}]\n"
		writeFile(t, filepath.Join(dir, "block.yml"), rules)
		runIn(t, dir, "", "promtool", "check", "rules", "block.yml")
	case b.has("rules"):
		runIn(t, dir, "", "promtool", "check", "rules", "block.yml")
	case b.has("scrape"):
		runIn(t, dir, "", "promtool", "check", "config", "block.yml")
	default:
		t.Errorf("%s: YAML needs a word on its fence that says what it is: rules or scrape", b)
	}
}

// TestGrafanaDashboard checks that the dashboard is one, and that its queries
// name metrics and labels that there are.
func TestGrafanaDashboard(t *testing.T) {
	var dashboard struct {
		Title, UID    string
		SchemaVersion int
		Panels        []struct {
			ID      int
			Title   string
			Type    string
			Targets []struct{ Expr, RefID string }
			GridPos struct{ H, W, X, Y int }
		}
	}
	if err := json.Unmarshal([]byte(readFile(t, "../docs/grafana-dashboard.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	if dashboard.Title == "" || dashboard.SchemaVersion == 0 || len(dashboard.Panels) == 0 {
		t.Fatal("it has no title, no schema version or no panels")
	}
	metrics := exported(t)
	ids := make(map[int]bool)
	dir := t.TempDir()
	var rules strings.Builder
	rules.WriteString("groups:\n- name: dashboard\n  rules:\n")
	for _, p := range dashboard.Panels {
		if ids[p.ID] || p.Title == "" || p.GridPos.W == 0 || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %d %q: the ID stands twice, or it has no title or no place", p.ID, p.Title)
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			checkQuery(t, p.Title, target.Expr, metrics)
			query, err := json.Marshal(strings.NewReplacer("$__rate_interval", "5m", "$__range", "1h", "$endpoint", ".*", "$receiver", ".*").Replace(target.Expr))
			if err != nil {
				t.Fatal(err)
			}
			rules.WriteString("  - record: panel\n    expr: " + string(query) + "\n    labels: {panel: \"" + strings.ReplaceAll(p.Title, `"`, "") + target.RefID + "\"}\n")
		}
		if p.Type != "row" && p.Type != "text" && len(p.Targets) == 0 {
			t.Errorf("panel %q asks for nothing", p.Title)
		}
	}
	writeFile(t, filepath.Join(dir, "rules.yml"), rules.String())
	runIn(t, dir, "", "promtool", "check", "rules", "rules.yml")
}

// alertCases are endpoints of which one is down, and receivers of which one has a
// secret that has changed, with what the documented rules must make of them:
// Prometheus's own tests of rules.
const alertCases = `rule_files: [rules.yml]
evaluation_interval: 1m
tests:
- interval: 1m
  input_series:
  - {series: 'caddy_webhooks_backlog_deliveries{endpoint="down"}', values: 0x10 1x110}
  - {series: 'caddy_webhooks_backlog_age_seconds{endpoint="down"}', values: 0x120} # its retry is not due
  - {series: 'caddy_webhooks_deliveries_total{endpoint="down",outcome="succeeded"}', values: 5x120}
  - {series: 'caddy_webhooks_backlog_deliveries{endpoint="busy"}', values: 3x120}
  - {series: 'caddy_webhooks_deliveries_total{endpoint="busy",outcome="succeeded"}', values: 0+1x120}
  - {series: 'caddy_webhooks_backlog_deliveries{endpoint="idle"}', values: 0x120}
  - {series: 'caddy_webhooks_deliveries_total{endpoint="idle",outcome="succeeded"}', values: 0x120}
  - {series: 'caddy_webhooks_verify_failures_total{receiver="changed",reason="signature_mismatch"}', values: 0x60 1x7 2x7 3x7 4x7 5x7 6x7 7x7 8x7}
  - {series: 'caddy_webhooks_received_total{receiver="changed",verdict="accepted"}', values: 0+1x60 60x60}
  - {series: 'caddy_webhooks_verify_failures_total{receiver="probed",reason="signature_missing"}', values: 0+9x120}
  - {series: 'caddy_webhooks_received_total{receiver="probed",verdict="accepted"}', values: 7x120}
  alert_rule_test:
  - {eval_time: 60m, alertname: WebhookEndpointDown}
  - {eval_time: 60m, alertname: WebhookReceiverRefuses}
  - eval_time: 120m
    alertname: WebhookReceiverRefuses
    exp_alerts:
    - exp_labels: {receiver: changed}
      exp_annotations: {summary: "changed: nothing is authentic any more; has the secret changed, or the clock?"}
  - eval_time: 90m
    alertname: WebhookEndpointDown
    exp_alerts:
    - exp_labels: {endpoint: down}
      exp_annotations: {summary: "down: deliveries have been pending for an hour, and none has succeeded"}
`

// TestAlertsOfLittleTraffic: an endpoint to which nothing gets through is told of
// within an hour or so, long before its retries are used up, also when so little is
// sent to it that nothing is due in between; and a receiver whose secret has
// changed, also when it is seldom called. Strangers who sign nothing are no news.
func TestAlertsOfLittleTraffic(t *testing.T) {
	need(t, "promtool")
	dir := t.TempDir()
	for _, b := range blocksOf(t, filepath.Join("..", "docs", "operating.md")) {
		if b.has("rules") {
			writeFile(t, filepath.Join(dir, "rules.yml"), b.text)
		}
	}
	writeFile(t, filepath.Join(dir, "cases.yml"), alertCases)
	runIn(t, dir, "", "promtool", "test", "rules", "cases.yml")
}
