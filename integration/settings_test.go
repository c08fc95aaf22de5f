package integration

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// settingsCaddyfile is a site where ann and bob publish their events and manage
// their endpoints, below /settings/webhooks.
func settingsCaddyfile(admin, site, options string) string {
	return localWebhooks(admin, options) + fmt.Sprintf(`
http://%s {
	%s
	handle /events {
		webhook_publish {
			tenant {http.auth.user.id}
		}
	}
	handle_path /settings/webhooks/* {
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
	handle_path /look/* {
		webhook_settings {
			tenant {http.auth.user.id}
			read_only
		}
	}
}
`, site, basicAuth)
}

// TestEndpointsAreMadeAtRunTime goes the whole way through a real Caddy, twice:
// with the store sealed and in the clear. One user makes an endpoint, tests and
// activates it and gets an event, signed with the secret that the API gave out;
// the other user finds nothing of it. Caddy is then killed, and the endpoint is
// there after the next start. Nothing of the secret may be in the files of a
// sealed store; that it is in those of an open one shows that it would be found.
func TestEndpointsAreMadeAtRunTime(t *testing.T) {
	const token = "token-that-only-the-customer-knows"
	key := base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))
	for _, tt := range []struct {
		name, options string
		sealed        bool
	}{
		{"sealed", "encryption_key {env.ENCRYPTION_KEY}", true},
		{"in the clear", "timeout 20s", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			customer := newSink(t, "")
			c := newCaddy(t)
			c.env = []string{"ENCRYPTION_KEY=" + key}
			site := freeAddress(t)
			caddyfile := settingsCaddyfile(c.admin, site, tt.options)
			c.start(caddyfile)
			ann, bob := account{t, site + "/settings/webhooks", "ann"}, account{t, site + "/settings/webhooks", "bob"}

			var made endpoint
			created := ann.want(http.StatusCreated, "POST", "/api/endpoints",
				fmt.Sprintf(`{"url":%q,"events":["conversation.*"],"headers":{"Authorization":%q}}`, customer.URL, token), &made)
			if made.State != "inactive" || made.Tenant != "ann" || !strings.HasPrefix(made.Secret, "whsec_") {
				t.Fatalf("the endpoint that was made is %+v", made)
			}
			if want := "http://" + site + "/settings/webhooks/api/endpoints/" + made.ID; created.location != want {
				t.Errorf("the endpoint is said to be at %s, and is at %s", created.location, want)
			}
			path := "/api/endpoints/" + made.ID

			ann.publish(exampleEvent) // nobody's yet: the endpoint is not active
			var report struct {
				OK      bool
				EventID string `json:"event_id"`
			}
			if got := ann.want(http.StatusOK, "POST", path+"/test", `{"type":"conversation.resolved"}`, &report); !report.OK {
				t.Errorf("the test of a good endpoint has failed:\n%s", got.body)
			}
			if states := ann.states(); states[made.ID] != "tested" {
				t.Errorf("after the test the states are %v", states)
			}
			ann.want(http.StatusOK, "POST", path+"/activate", "", nil)
			id := ann.publish(exampleEvent)
			others := bob.publish(exampleEvent)
			waitFor(t, "the delivery", func() bool { return customer.ids()[id] > 0 })
			mustBeSigned(t, customer, made.Secret, id, token)
			mustBeSigned(t, customer, made.Secret, report.EventID, token)

			t.Run("other user", func(t *testing.T) {
				bob := account{t, bob.site, bob.user}
				if list := bob.endpoints(); len(list) > 0 {
					t.Errorf("the other user sees %+v", list)
				}
				for _, request := range []struct{ method, path, body string }{
					{"GET", path, ""}, {"PATCH", path, `{"description":"mine"}`}, {"DELETE", path, ""}, {"GET", path + "/secret", ""},
					{"POST", path + "/test", ""}, {"POST", path + "/activate", ""}, {"POST", path + "/deactivate", ""}, {"POST", path + "/rotate", ""},
					{"GET", "/api/events/" + id, ""},
				} {
					bob.want(http.StatusNotFound, request.method, request.path, request.body, nil)
				}
				var page struct{ Deliveries []any }
				if bob.want(http.StatusOK, "GET", "/api/deliveries", "", &page); len(page.Deliveries) > 0 {
					t.Errorf("the other user sees deliveries: %v", page.Deliveries)
				}
			})
			if customer.ids()[others] > 0 {
				t.Error("an event of the other user was delivered")
			}

			secretsInFiles := func() bool {
				secret, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(made.Secret, "whsec_"))
				if err != nil {
					t.Fatal(err)
				}
				return inFiles(t, filepath.Join(c.home, "data", "caddy", "webhooks"),
					[]byte(strings.TrimPrefix(made.Secret, "whsec_")), secret, []byte(token))
			}
			if found := secretsInFiles(); found == tt.sealed {
				t.Errorf("while Caddy runs: a secret is in the files of the store: %t", found)
			}
			c.kill()
			if found := secretsInFiles(); found == tt.sealed {
				t.Errorf("after it was killed: a secret is in the files of the store: %t", found)
			}
			for _, secret := range []string{made.Secret, token, key} {
				if strings.Contains(c.out.String(), secret) || inFiles(t, filepath.Join(c.home, "config"), []byte(secret)) {
					t.Error("a secret is in the log or in Caddy's saved configuration")
				}
			}

			c.start(caddyfile)
			if states := ann.states(); len(states) != 1 || states[made.ID] != "active" {
				t.Errorf("after the restart the states are %v", states)
			}
			again := ann.publish(exampleEvent)
			waitFor(t, "the delivery after the restart", func() bool { return customer.ids()[again] > 0 })
			mustBeSigned(t, customer, made.Secret, again, token)
			if found := secretsInFiles(); found == tt.sealed {
				t.Errorf("after the restart: a secret is in the files of the store: %t", found)
			}
		})
	}
}

// mustBeSigned checks that an event has arrived, signed with a secret and with
// the endpoint's own Authorization.
func mustBeSigned(t *testing.T, customer *sink, secret, id, authorization string) {
	t.Helper()
	key, err := webhook.ParseSecret(secret)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range customer.deliveries() {
		if d.Headers.Get("Webhook-Id") != id {
			continue
		}
		if _, err := webhook.Verify([]webhook.Verifier{key}, d.Headers, d.bytes(), time.Now(), time.Minute); err != nil {
			t.Errorf("event %s: %v", id, err)
		}
		if got := d.Headers.Get("Authorization"); got != authorization {
			t.Errorf("event %s came with the authorization %q", id, got)
		}
		return
	}
	t.Errorf("event %s has not arrived", id)
}

// inFiles tells whether any of the needles is in any file below a folder.
func inFiles(t *testing.T, folder string, needles ...[]byte) (found bool) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		for _, needle := range needles {
			found = found || bytes.Contains(content, needle)
		}
		return nil
	})
	if err != nil || files == 0 {
		t.Fatalf("%s: %d files were read: %v", folder, files, err)
	}
	return found
}

// TestSettingsWhereTheyAreMounted reaches the same settings in the ways that
// the documentation tells of.
func TestSettingsWhereTheyAreMounted(t *testing.T) {
	customer := newSink(t, "")
	c := newCaddy(t)
	site := freeAddress(t)
	c.start(settingsCaddyfile(c.admin, site, "endpoint crm "+customer.URL+" {\n\t\t\ttenant ann\n\t\t}"))
	for _, prefix := range []string{"/settings/webhooks", "/manage/webhooks"} {
		ann := account{t, site + prefix, "ann"}
		var made endpoint
		created := ann.want(http.StatusCreated, "POST", "/api/endpoints", fmt.Sprintf(`{"url":%q}`, customer.URL), &made)
		if want := "http://" + site + prefix + "/api/endpoints/" + made.ID; created.location != want {
			t.Errorf("the endpoint is said to be at %s, and is at %s", created.location, want)
		}
		if states := ann.states(); states["crm"] != "active" || states[made.ID] != "inactive" {
			t.Errorf("%s: the states are %v", prefix, states)
		}
		ann.want(http.StatusNoContent, "DELETE", "/api/endpoints/"+made.ID, "", nil)
		ann.want(http.StatusConflict, "DELETE", "/api/endpoints/crm", "", nil) // it stands in the configuration
		account{t, ann.site, ""}.want(http.StatusUnauthorized, "GET", "/api/endpoints", "", nil)
	}
	ann := account{t, site, "ann"}
	for _, path := range []string{"/manage/webhooks2/api/endpoints", "/manage/webhooksapi/endpoints", "/manage/webhooks/../webhooks/api/endpoints", "/manage/webhooks//api/endpoints"} {
		ann.want(http.StatusNotFound, "GET", path, "", nil)
	}
	look := account{t, site + "/look", "ann"}
	if states := look.states(); states["crm"] != "active" {
		t.Errorf("read-only: the states are %v", states)
	}
	look.want(http.StatusForbidden, "POST", "/api/endpoints", fmt.Sprintf(`{"url":%q}`, customer.URL), nil)
	look.want(http.StatusForbidden, "GET", "/api/endpoints/crm/secret", "", nil)
}

// TestSettingsNeedATenant: where the tenant comes from who is signed in and
// nobody is, the settings are nobody's. In particular they are not those of the
// endpoints without a tenant.
func TestSettingsNeedATenant(t *testing.T) {
	customer := newSink(t, "")
	c := newCaddy(t)
	site, open := freeAddress(t), freeAddress(t)
	caddyfile := settingsCaddyfile(c.admin, site, "endpoint crm "+customer.URL)
	caddyfile += fmt.Sprintf("\nhttp://%s {\n\twebhook_settings {\n\t\ttenant {http.auth.user.id}\n\t}\n}\n", open)
	alone := freeAddress(t)
	caddyfile += fmt.Sprintf("\nhttp://%s {\n\twebhook_settings\n}\n", alone)
	c.start(caddyfile)

	nobody := account{t, open, ""}
	for _, request := range []struct{ method, path, body string }{
		{"GET", "/api/endpoints", ""}, {"GET", "/api/endpoints/crm", ""}, {"GET", "/api/deliveries", ""},
		{"POST", "/api/endpoints", fmt.Sprintf(`{"url":%q}`, customer.URL)}, {"POST", "/api/replays", "{}"},
	} {
		nobody.want(http.StatusForbidden, request.method, request.path, request.body, nil)
	}
	if states := (account{t, site + "/settings/webhooks", "ann"}).states(); len(states) > 0 {
		t.Errorf("a tenant sees endpoints without a tenant: %v", states)
	}
	if states := (account{t, alone, ""}).states(); states["crm"] != "active" {
		t.Errorf("without tenants the states are %v", states)
	}
}
