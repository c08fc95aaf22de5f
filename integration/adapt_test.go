package integration

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
	"github.com/google/go-cmp/cmp"

	_ "github.com/manysends/caddy-webhooks"
	_ "github.com/manysends/caddy-webhooks/caddymodule/postgres"
	_ "github.com/manysends/caddy-webhooks/caddymodule/redis"
)

var update = flag.Bool("update", false, "rewrite what the Caddyfiles in caddyfile_adapt adapt to")

// separator stands between a Caddyfile and what it adapts to.
const separator = "\n----------\n"

// TestCaddyfilesAdapt adapts every Caddyfile in caddyfile_adapt and compares
// the result with the JSON, or the error, that stands below it. Those that
// adapt must be formatted as `caddy fmt` does.
func TestCaddyfilesAdapt(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("caddyfile_adapt", "*.caddyfiletest"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no Caddyfiles found: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".caddyfiletest"), func(t *testing.T) {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			source, want, _ := strings.Cut(string(content), separator)
			source += "\n"
			got := adapt(t, source)
			if *update {
				if err := os.WriteFile(file, []byte(strings.TrimRight(source, "\n")+separator+got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("wanted (-) and adapted (+) differ:\n%s", diff)
			}
		})
	}
}

// adapt returns the indented JSON that a Caddyfile adapts to, or its error.
func adapt(t *testing.T, source string) string {
	t.Helper()
	out, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(source), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		return err.Error() + "\n"
	}
	for _, w := range warnings {
		t.Errorf("warning: %s", w)
	}
	if formatted := string(caddyfile.Format([]byte(source))); formatted != source {
		t.Errorf("not formatted as caddy fmt does:\n%s", cmp.Diff(formatted, source))
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, out, "", "\t"); err != nil {
		t.Fatal(err)
	}
	return indented.String() + "\n"
}
