package settings

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// trial is the page on which an endpoint is tested.
type trial struct {
	endpointHead
	Inactive bool
	Types    []typeGroup
	Type     string // that is chosen
	Sample   string
	Report   *trialReport
}

// typeGroup are the event types under one heading.
type typeGroup struct {
	Name  string
	Types []string
}

// trialReport is the report of a test as it is shown.
type trialReport struct {
	OK            bool
	Summary       string
	Checks        []trialCheck
	Type, EventID string
	At            *moment
	Request       []setting // headers
	Body, Curl    string
	Answer        *exchange
	TLS           *sender.TestTLS
}

// trialCheck is one check of a report.
type trialCheck struct {
	Name, Detail, Remedy string
	State                badge
}

// checkNames are what the checks look at, in words.
var checkNames = map[string]string{
	"url": "URL", "dns": "Name", "egress": "Egress rules", "connect": "Connection", "tls": "TLS", "answer": "Answer", "time": "Time", "signature": "Signature",
}

func trialPage(c *call) error {
	info, err := c.Endpoint(c.context(), c.tenant, c.id())
	if err != nil {
		return err
	}
	t := trial{Inactive: info.State == sender.StateInactive || info.State == sender.StateTested}
	types := c.EventTypes()
	t.Type = c.r.URL.Query().Get("type")
	var chosen *webhook.EventType
	for i := range types {
		et := &types[i]
		if n := len(t.Types); n == 0 || t.Types[n-1].Name != et.Group {
			t.Types = append(t.Types, typeGroup{Name: et.Group})
		}
		g := &t.Types[len(t.Types)-1]
		g.Types = append(g.Types, et.Name)
		if et.Name == t.Type || t.Type == "" && chosen == nil && subscribes(&info.Endpoint, et.Name) {
			chosen = et
		}
	}
	if chosen == nil && len(types) > 0 && t.Type == "" {
		chosen = &types[0]
	}
	if chosen != nil {
		t.Type = chosen.Name
		t.Sample = shownText(chosen.SampleData(), maxShown).Text
	} else if t.Type != "" {
		return wrong("type", "it is unknown: choose one of the list")
	}
	t.endpointHead = c.head(&info, "test")
	if value, at := c.handler.kept.get(c.Now(), c.keptKey("test", info.ID)); value != nil && c.r.URL.Query().Get("result") != "" {
		if report, ok := value.(*sender.TestReport); ok {
			t.Report = c.trialReport(report)
			t.Report.At = c.moment(at)
		}
	}
	return c.page(http.StatusOK, "trial.html", "Test webhook", "endpoints", t)
}

// subscribes tells whether an endpoint gets an event type.
func subscribes(e *sender.Endpoint, eventType string) bool {
	for _, pattern := range eventsOf(e) {
		if p, err := webhook.ParsePattern(pattern); err == nil && p.Match(eventType) {
			return true
		}
	}
	return false
}

func testFromForm(c *call) error {
	values, err := c.form()
	if err != nil {
		return err
	}
	report, err := c.TestEndpoint(c.context(), c.tenant, c.id(), values.Get("type"))
	if err != nil {
		return err
	}
	c.handler.kept.put(c.Now(), c.keptKey("test", c.id()), &report)
	query := url.Values{"result": {"1"}}
	// Where any type may be published there is one that no list has.
	if slices.ContainsFunc(c.EventTypes(), func(et webhook.EventType) bool { return et.Name == report.Type }) {
		query.Set("type", report.Type)
	}
	return c.redirect("endpoints/" + url.PathEscape(c.id()) + "/test?" + query.Encode() + "#report")
}

// trialReport makes a report ready to be shown.
func (c *call) trialReport(r *sender.TestReport) *trialReport {
	t := &trialReport{
		OK: r.OK, Summary: visible(r.Summary), Type: r.Type, EventID: r.EventID, TLS: r.TLS,
		Request: headerList(r.Request.Headers), Body: shownText([]byte(r.Request.Body), maxShown).Text, Curl: curl(&r.Request),
	}
	if _, cut := within(t.Curl, 2*maxShown); cut {
		t.Curl = "" // half a command is none
	}
	for _, check := range r.Checks {
		row := trialCheck{Name: checkNames[check.Name], Detail: visible(check.Detail), Remedy: visible(check.Remedy), State: badge{"ok", "good", "Passed"}}
		switch {
		case !check.OK:
			row.State = badge{"fail", "bad", "Failed"}
		case check.Remedy != "":
			row.State = badge{"warn", "warn", "Advice"}
		}
		t.Checks = append(t.Checks, row)
	}
	if r.Attempt.StatusCode != 0 {
		t.Answer = c.exchange(&r.Attempt)
	}
	return t
}
