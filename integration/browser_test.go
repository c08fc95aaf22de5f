package integration

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// pagesCaddyfile is a site where ann and bob publish their events and have the
// settings in all the ways that there are. One endpoint, of bob, stands in the
// configuration. What has failed is not tried again by itself.
func pagesCaddyfile(admin, site, fixed string) string {
	endpoint := fmt.Sprintf("endpoint fixed %s {\n\t\t\ttenant bob\n\t\t\tsecret %s\n\t\t}", fixed, testSecret)
	return localWebhooks(admin, "retry 1h\n\t\t"+endpoint) + fmt.Sprintf(`
http://%s {
	%s
	handle /events {
		webhook_publish {
			tenant {http.auth.user.id}
		}
	}
	handle_path /settings/webhooks* {
		webhook_settings {
			tenant {http.auth.user.id}
		}
	}
	handle /manage/webhooks* {
		webhook_settings {
			tenant {http.auth.user.id}
			prefix /manage/webhooks
		}
	}
	handle_path /look* {
		webhook_settings {
			tenant {http.auth.user.id}
			read_only
		}
	}
	handle_path /operator* {
		webhook_settings {
			operator
		}
	}
}
`, site, basicAuth)
}

// TestPages uses the settings pages in a real browser. Each suite in the folder
// browser has a Caddy of its own, and each of its tests is a subtest here.
func TestPages(t *testing.T) {
	needBrowser(t)
	suites, err := filepath.Glob(filepath.Join("browser", "*.test.mjs"))
	if err != nil || len(suites) == 0 {
		t.Fatalf("there are no suites: %v", err)
	}
	for _, suite := range suites {
		name, _, _ := strings.Cut(filepath.Base(suite), ".")
		t.Run(name, func(t *testing.T) {
			fixed := newSink(t, "")
			c := newCaddy(t)
			site := freeAddress(t)
			c.start(pagesCaddyfile(c.admin, site, fixed.URL))
			runSuite(t, filepath.Base(suite), "PAGES_ORIGIN=http://"+site)
		})
	}
}

// needBrowser skips the test when something that drives pages is missing.
func needBrowser(t *testing.T) {
	t.Helper()
	need(t, "node")
	need(t, "chromium")
	if _, err := os.Stat(filepath.Join("browser", "node_modules", "playwright-core")); err != nil {
		t.Skip("what drives the browser is not installed: npm ci --ignore-scripts in integration/browser")
	}
}

// suiteResult is a line of browser/reporter.mjs.
type suiteResult struct {
	Name   string
	Passed bool
	Error  string
}

// runSuite runs a file of tests for Node.js and reports each of them as a
// subtest. A suite that ends in another way than by all its tests having passed
// fails.
func runSuite(t *testing.T, file string, env ...string) {
	t.Helper()
	results := filepath.Join(t.TempDir(), "results")
	cmd := exec.CommandContext(t.Context(), "node", "--test-reporter=./reporter.mjs", "--test-reporter-destination="+results, file)
	cmd.Dir = "browser"
	cmd.Env = append(os.Environ(), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	ended := cmd.Run()
	lines, err := os.ReadFile(results)
	if err != nil {
		t.Fatalf("%s: %v, and has no results: %v\n%s", file, ended, err, out.String())
	}
	ran := 0
	for scanner := bufio.NewScanner(bytes.NewReader(lines)); scanner.Scan(); ran++ {
		var result suiteResult
		if err := json.Unmarshal(scanner.Bytes(), &result); err != nil {
			t.Fatalf("%s: %v: %s", file, err, scanner.Bytes())
		}
		t.Run(result.Name, func(t *testing.T) {
			if !result.Passed {
				t.Errorf("%s\n%s", result.Error, out.String())
			}
		})
	}
	if ended != nil && !t.Failed() || ran == 0 {
		t.Errorf("%s: %v after %d tests\n%s", file, ended, ran, out.String())
	}
}

// TestPagesAreThereForASignedInUser guards that the site of the suites lets
// nobody else in: otherwise what they see of tenants would mean nothing.
func TestPagesAreThereForASignedInUser(t *testing.T) {
	fixed := newSink(t, "")
	c := newCaddy(t)
	site := freeAddress(t)
	c.start(pagesCaddyfile(c.admin, site, fixed.URL))
	for _, mount := range []string{"/settings/webhooks/", "/manage/webhooks/", "/look/", "/operator/"} {
		account{t, site, ""}.want(http.StatusUnauthorized, "GET", mount, "", nil)
		account{t, site, "ann"}.want(http.StatusOK, "GET", mount, "", nil)
	}
}
