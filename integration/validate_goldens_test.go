package integration

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	caddymain "github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/google/go-cmp/cmp"

	"github.com/manysends/caddy-webhooks/caddymodule"
	"github.com/manysends/caddy-webhooks/internal/redistest"
)

// placeholders finds those of the environment, and of files.
var placeholders = regexp.MustCompile(`\{(env|file)\.([^}]+)\}`)

// goodCaddyfiles are those in caddyfile_adapt that adapt, by their names.
func goodCaddyfiles(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("caddyfile_adapt", "*.caddyfiletest"))
	if err != nil {
		t.Fatal(err)
	}
	good := make(map[string]string)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".caddyfiletest")
		if strings.HasPrefix(name, "error_") {
			continue
		}
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		source, _, _ := strings.Cut(string(content), separator)
		good[name] = source + "\n"
	}
	if len(good) == 0 {
		t.Fatal("no Caddyfiles found")
	}
	return good
}

// jsonOf is what a Caddyfile adapts to.
func jsonOf(t *testing.T, source string) []byte {
	t.Helper()
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(source), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// TestAdaptedCaddyfilesAreValid does what `caddy adapt --validate` does with
// every Caddyfile that adapts, and with Caddyfile.example, where the environment
// has what they need.
func TestAdaptedCaddyfilesAreValid(t *testing.T) {
	example, err := os.ReadFile(filepath.Join("..", "Caddyfile.example"))
	if err != nil {
		t.Fatal(err)
	}
	if formatted := caddyfile.Format(example); !bytes.Equal(formatted, example) {
		t.Errorf("Caddyfile.example is not formatted as caddy fmt does:\n%s", cmp.Diff(string(formatted), string(example)))
	}
	all := goodCaddyfiles(t)
	all["Caddyfile.example"] = string(example)
	authority := redistest.NewAuthority(t)
	certificate, key := authority.Issue(t, "caddy")
	files := strings.NewReplacer("/etc/ssl/redis.pem", authority.File, "/etc/ssl/caddy.pem", certificate, "/etc/ssl/caddy.key", key)
	for name, source := range all {
		t.Run(name, func(t *testing.T) {
			t.Setenv("XDG_DATA_HOME", t.TempDir())
			config := files.Replace(string(jsonOf(t, source)))
			for _, match := range placeholders.FindAllStringSubmatch(config, -1) {
				value := testSecret // fits as text, too
				if strings.Contains(match[2], "KEY") {
					value = base64.StdEncoding.EncodeToString(bytes.Repeat([]byte(match[2][len(match[2])-1:]), 32))
				}
				switch match[2] {
				case "REDIS_URL":
					value = "redis://localhost"
				case "OTHER_CA":
					value = authority.File
				case "DATABASE_URL", "LISTEN_URL":
					value = "postgres://localhost/webhooks"
				}
				if match[1] == "env" {
					t.Setenv(match[2], value)
					continue
				}
				file := filepath.Join(t.TempDir(), "secret")
				if err := os.WriteFile(file, []byte(value), 0o600); err != nil {
					t.Fatal(err)
				}
				config = strings.ReplaceAll(config, match[0], "{file."+file+"}")
			}
			c := new(caddymain.Config)
			if err := json.Unmarshal([]byte(config), c); err != nil {
				t.Fatal(err)
			}
			if err := caddymain.Validate(c); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestJSONRoundTrip loads the JSON of every module in every Caddyfile that
// adapts as Caddy does, which refuses members that it does not know, and writes
// it again: nothing is lost or added.
func TestJSONRoundTrip(t *testing.T) {
	modules := map[string]func() any{
		"webhook_receive":  func() any { return new(caddymodule.Receive) },
		"webhook_publish":  func() any { return new(caddymodule.Publish) },
		"webhook_settings": func() any { return new(caddymodule.Settings) },
		"webhook_sign":     func() any { return new(caddymodule.Sign) },
	}
	seen := make(map[string]int)
	for name, source := range goodCaddyfiles(t) {
		var config any
		if err := json.Unmarshal(jsonOf(t, source), &config); err != nil {
			t.Fatal(err)
		}
		eachValue(config, func(key string, object map[string]any) {
			handler, _ := object["handler"].(string)
			module := modules[handler]
			if key == "webhooks" {
				handler, module = key, func() any { return new(caddymodule.App) }
			}
			if module == nil {
				return
			}
			seen[handler]++
			delete(object, "handler")
			before, err := json.Marshal(object)
			if err != nil {
				t.Fatal(err)
			}
			loaded := module()
			if err := caddymain.StrictUnmarshalJSON(before, loaded); err != nil {
				t.Errorf("%s: %s: %v", name, handler, err)
				return
			}
			after, err := json.Marshal(loaded)
			if err != nil {
				t.Fatal(err)
			}
			var again map[string]any
			if err := json.Unmarshal(after, &again); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(object, again) {
				t.Errorf("%s: %s: before (-) and after (+) differ:\n%s", name, handler, cmp.Diff(object, again))
			}
		})
	}
	for handler := range modules {
		if seen[handler] == 0 {
			t.Errorf("no Caddyfile has %s", handler)
		}
	}
}

// eachValue visits all objects in JSON, with the name of the member that they are.
func eachValue(value any, visit func(key string, object map[string]any)) {
	switch value := value.(type) {
	case []any:
		for _, v := range value {
			eachValue(v, visit)
		}
	case map[string]any:
		for key, v := range value {
			if object, ok := v.(map[string]any); ok {
				visit(key, object)
			} else if list, ok := v.([]any); ok {
				for _, item := range list {
					if object, ok := item.(map[string]any); ok {
						visit("", object)
					}
				}
			}
			eachValue(v, visit)
		}
	}
}
