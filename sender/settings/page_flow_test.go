package settings_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// TestPagesFromTheFirstToTheLast goes the whole way of a webhook through the
// pages, with forms alone.
func TestPagesFromTheFirstToTheLast(t *testing.T) {
	r := newRig(t)
	r.as("globex") // who has none
	r.browse("/").want(http.StatusOK).has("No webhooks yet", `href="./new"`)

	// Created: the secret is shown this once.
	r.browse("/new").want(http.StatusOK).has(`value="conversation.*"`, `value="conversation.created"`, `<legend>Label</legend>`)
	made := r.post("/new", r.webhookForm("/hooks", "description", "The CRM", "headers", "X-Api-Key: "+headerValue))
	page := r.follow("/new", made)
	secret := page.has("has been created", "The CRM", "Next: send a test").between(`id="new-secret">`, "<")
	if !strings.HasPrefix(secret, "whsec_") {
		t.Fatalf("the secret is %q", secret)
	}
	endpoint, _, _ := strings.Cut(resolve(t, "/new", made.header.Get("Location")), "?")
	id := strings.TrimPrefix(endpoint, "/endpoints/")
	r.browse(endpoint).lacks(secret, "new-secret", "has been created")
	r.browse("/").want(http.StatusOK).has("The CRM", "Inactive", "conversation.*")

	// Tested: the outcome is explained, and can be had again with curl.
	r.browse(endpoint+"/test").has("conversation.created", "conv_123")
	r.browse(endpoint + "/test?type=message.created").has("Send message.created")
	tested := r.post(endpoint+"/test", url.Values{"type": {"conversation.resolved"}})
	r.follow(endpoint+"/test", tested).has("The test has succeeded", "Egress rules", "curl -g -i -X POST", "Webhook-Signature: v1,", "Activate this webhook", "200 OK").lacks(headerValue)
	r.browse(endpoint + "/test").lacks("The test has succeeded") // without being asked for
	r.site.answers(http.StatusUnauthorized, "who are you?")
	r.follow(endpoint+"/test", r.post(endpoint+"/test", url.Values{"type": {"conversation.created"}})).has("The test has failed", "401", "who are you?").lacks("Activate this webhook")
	r.site.answers(http.StatusOK, `{"taken":true}`)

	// Activated, it gets events.
	r.follow(endpoint+"/activate", r.post(endpoint+"/activate", nil)).has("gets events from now on", "Deactivate")
	r.publish("evt_1", "conversation.created", `{"id":"conv_123"}`)
	delivery := r.delivery("evt_1", 1)
	r.browse("/deliveries").has(delivery, "Succeeded", "The CRM", `data-stream="./api/deliveries/stream?"`)
	r.browse("/deliveries?status=failed").lacks(delivery).has("Nothing found")
	r.browse("/deliveries?status=succeeded&endpoint="+id+"&type=conversation.*&from=2024-03-05T10:00&to=2024-03-06T00:00").has(delivery, `value="2024-03-05T10:00"`)
	r.browse("/deliveries/"+delivery).has("conv_123", "Attempt 1", "200 OK", "taken", "Retry now")
	r.browse("/events/evt_1").has(delivery, "conv_123")
	r.browse("/overview").has("100 %", "The CRM", "The figures as a table")
	r.browse("/overview?span=hour&by=type").has("conversation.created")
	r.browse("/overview?span=week&endpoint=" + id).has("alone")
	r.browse("/overview?span=month").has("100 %")
	r.browse(endpoint).has("100 %", "Latest deliveries", delivery)
	r.browse("/").has("100 %", "just now")

	// Again, one and many.
	r.follow("/deliveries/"+delivery+"/retry", r.post("/deliveries/"+delivery+"/retry", nil)).has("on its way again")
	r.delivery("evt_1", 2)
	r.browse("/deliveries/" + delivery + "?attempt=1").has("Attempt 1")
	r.post("/deliveries/"+delivery+"/cancel", nil).want(http.StatusConflict).has("has ended")
	replay := url.Values{"status": {"succeeded"}, "rate": {"50/s"}, "count": {"1"}}
	r.browse("/replay?status=failed").has(`value="failed" checked`)
	r.post("/replay", replay).want(http.StatusOK).has("<b>1</b> delivery is", `value="succeeded" checked`, `value="50/s"`)
	replay.Del("count")
	started := r.post("/replay", replay)
	r.follow("/replay", started).has("has begun", "succeeded", "50/s")
	r.delivery("evt_1", 3)
	path, _, _ := strings.Cut(resolve(t, "/replay", started.header.Get("Location")), "?")
	until(t, "the replay has ended", func() bool { return strings.Contains(r.browse(path).body, "Done") })
	r.browse("/replays").has("Done", "1 of 1")
	r.follow(path+"/cancel", r.post(path+"/cancel", nil)).has("Done") // it stays what it was

	// Rotated: both secrets sign for a while.
	rotated := r.follow(endpoint+"/rotate", r.post(endpoint+"/rotate", url.Values{"overlap": {"1h"}}))
	fresh := rotated.has("has been rotated", "Current", "Previous", "in 1 h").lacks(secret).between(`id="new-secret">`, "<")
	if fresh == secret || !strings.HasPrefix(fresh, "whsec_") {
		t.Errorf("the new secret is %q", fresh)
	}
	r.browse(endpoint+"/secret").lacks(fresh, secret)
	r.post(endpoint+"/secret", nil).want(http.StatusOK).has(fresh, secret)

	// Edited, deactivated, deleted.
	r.browse(endpoint+"/edit").has("The CRM", "X-Api-Key: [hidden]", `value="conversation.*" checked`).lacks(headerValue)
	r.follow(endpoint+"/edit", r.post(endpoint+"/edit", r.webhookForm("/hooks", "description", "The other CRM", "headers", "X-Api-Key: [hidden]", "rate", "10/s"))).has("have been saved", "The other CRM", "10/s", "X-Api-Key")
	r.post("/deliveries/"+delivery+"/retry", nil)
	r.delivery("evt_1", 4)
	r.site.mu.Lock()
	last := r.site.received[len(r.site.received)-1].Header.Get("X-Api-Key")
	r.site.mu.Unlock()
	if last != headerValue {
		t.Errorf("a header that was left hidden is sent as %q", last)
	}
	r.follow(endpoint+"/deactivate", r.post(endpoint+"/deactivate", nil)).has("deactivated")
	r.browse(endpoint+"/delete").has("Delete this webhook?", "Keep it")
	r.follow(endpoint+"/delete", r.post(endpoint+"/delete", nil)).has("has been deleted", "No webhooks yet")
	r.browse(endpoint).want(http.StatusNotFound).has("There is no webhook of this ID")
	r.browse("/deliveries/" + delivery).has("(deleted)").lacks("Retry now")
}

// TestPagesTestWhereAnyTypeIsTaken guards that the outcome of a test is shown
// where the catalogue is * alone, and lists no types to choose from.
func TestPagesTestWhereAnyTypeIsTaken(t *testing.T) {
	r := newRig(t)
	if err := r.sender.Apply(sender.Config{
		EventTypes: []webhook.EventType{{Name: "*"}},
		Egress:     sender.Egress{Allow: []string{"127.0.0.1", "::1"}, AllowHTTP: true},
	}); err != nil {
		t.Fatal(err)
	}
	made := r.post("/new", url.Values{"url": {r.site.URL}, "other_events": {"order.*"}, "signing": {"hmac"}})
	endpoint, _, _ := strings.Cut(resolve(t, "/new", made.want(http.StatusSeeOther).header.Get("Location")), "?")
	r.browse(endpoint + "/test").want(http.StatusOK).has("Send a sample").lacks("Show the sample")
	tested := r.post(endpoint+"/test", url.Values{"type": {""}})
	r.follow(endpoint+"/test", tested).want(http.StatusOK).has("The test has succeeded", "order.test")
}

// TestPageFormsKeepWhatWasEntered guards that a form with mistakes comes back
// with all that was entered, and with what is wrong beside each field.
func TestPageFormsKeepWhatWasEntered(t *testing.T) {
	r := newRig(t)
	form := url.Values{
		"url": {"ftp://example.com/x"}, "description": {"A <b>bold</b> one"}, "events": {"message.*", "label.created"}, "other_events": {"order.*\nBad Pattern"},
		"headers": {"no colon here"}, "rate": {"fast"}, "concurrency": {"many"}, "timeout": {"soon"}, "retry": {"1s, never"}, "filter": {"data.x =="},
		"ordering": {"strict"}, "format": {"standard"}, "signing": {"given"}, "secret": {"short"},
	}
	a := r.post("/new", form).want(http.StatusUnprocessableEntity)
	a.has(`value="ftp://example.com/x"`, "A &lt;b&gt;bold&lt;/b&gt; one", `value="message.*" checked`, `value="label.created" checked`, "order.*\nBad Pattern",
		"no colon here", `value="fast"`, `value="many"`, `value="soon"`, "1s, never", `value="data.x =="`, `value="strict" checked`, `value="standard" selected`,
		`value="given" checked`, "Line 1 has no colon", "Bad Pattern", "not a whole number", `role="alert"`, `href="#f-rate"`, `<title>Error: `)
	if n := strings.Count(a.body, `aria-invalid="true"`); n < 5 {
		t.Errorf("%d fields are marked: %s", n, a.body)
	}
	for _, tt := range []struct {
		name, want string
		values     url.Values
	}{
		{"nothing", "It is empty: enter where", url.Values{}},
		{"no URL", "It is empty: enter where", r.webhookForm("", "url", "")},
		{"no scheme", "write it in full", r.webhookForm("", "url", "example.com/hooks")},
		{"no events", "choose at least one", url.Values{"url": {r.site.URL}}},
		{"no secret", "It is empty: enter it", r.webhookForm("/", "signing", "given")},
		{"bad secret", "Secret key", r.webhookForm("/", "signing", "given", "secret", "nonsense")},
		{"unknown signing", "is unknown", r.webhookForm("/", "signing", "rot13")},
		{"filter", "Filter", r.webhookForm("/", "filter", "data.")},
		{"blocked", "The egress rules forbid 10.1.2.3", r.webhookForm("", "url", "http://10.1.2.3/")},
		{"header twice", "stands twice", r.webhookForm("/", "headers", "a: 1\nA: 2")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r.post("/new", tt.values).want(http.StatusUnprocessableEntity).has(tt.want, `id="errors"`)
		})
	}
	if n := strings.Count(r.do("GET", "/api/endpoints", "").body, `"id"`); n != 1 {
		t.Errorf("there are %d endpoints, want the configured one", n)
	}
}

// TestPageWarnsOnceOfAHostThatIsNotThereYet guards that a name without an
// address is warned of, and taken when the form is sent once more.
func TestPageWarnsOnceOfAHostThatIsNotThereYet(t *testing.T) {
	r := newRig(t)
	form := r.webhookForm("", "url", "https://not-there-yet.invalid/hooks")
	warned := r.post("/new", form).want(http.StatusUnprocessableEntity).has("send the form once more")
	form.Set("checked_url", warned.between(`name="checked_url" value="`, `"`))
	r.follow("/new", r.post("/new", form)).has("not-there-yet.invalid")

	form.Set("url", "https://another.invalid/hooks") // which has not been warned of
	r.post("/new", form).want(http.StatusUnprocessableEntity)

	form.Set("url", "http://169.254.169.254/") // which no rule allows, however often it is sent
	if answer := r.post("/new", form).want(http.StatusUnprocessableEntity); strings.Contains(answer.body, "send the form once more") {
		t.Error("the page says that an address that is refused can be kept")
	}
}

// TestPageChecksAURLWhileAFormIsFilledIn guards the small endpoint behind the
// field.
func TestPageChecksAURLWhileAFormIsFilledIn(t *testing.T) {
	r := newRig(t)
	for address, want := range map[string]string{
		r.site.URL:               "true",
		"http://169.254.169.254": "false",
		"mailto:me":              "false",
		"":                       "false",
	} {
		a := postForm(t, r.Handler, "/check", url.Values{"url": {address}}, "Sec-Fetch-Site", "same-origin").want(http.StatusOK)
		last := ""
		for i := range 3 {
			if ok := a.at("checks." + string(rune('0'+i)) + ".ok"); ok != "" {
				last = ok
			}
		}
		if last != want {
			t.Errorf("%q is found to be %s: %s", address, last, a.body)
		}
	}
}

// TestPagesOfAConfiguredWebhook guards that it is looked at, tested and
// activated here, and changed in the configuration alone.
func TestPagesOfAConfiguredWebhook(t *testing.T) {
	r := newRig(t)
	r.browse("/").has("in the configuration")
	r.browse("/endpoints/fixed").has("stands in the server’s configuration").lacks("Deactivate", "/edit")
	r.browse("/endpoints/fixed/edit").want(http.StatusConflict).has("The endpoint stands in the configuration: change it there.")
	r.browse("/endpoints/fixed/delete").want(http.StatusConflict)
	for _, action := range []string{"edit", "delete", "deactivate", "rotate"} {
		r.post("/endpoints/fixed/"+action, r.webhookForm("/")).want(http.StatusConflict)
	}
	r.browse("/endpoints/fixed/secret").lacks(secretText, "Rotate").has("in the configuration")
	r.post("/endpoints/fixed/secret", nil).has(secretText)
	r.follow("/endpoints/fixed/test", r.post("/endpoints/fixed/test", nil)).has("The test has succeeded").lacks("Activate this webhook")
	r.follow("/endpoints/fixed/activate", r.post("/endpoints/fixed/activate", nil))
}

// TestPagesOfSignatures guards the ways to sign that a form offers.
func TestPagesOfSignatures(t *testing.T) {
	r := newRig(t)
	for _, tt := range []struct {
		signing, secret string
		shown, verify   string
	}{
		{"hmac", "", "whsec_", "whsec_YOUR_SECRET_KEY"},
		{"ed25519", "", "whsk_", "Public key"},
		{"given", secretText, "", "whsec_YOUR_SECRET_KEY"},
		{"none", "", "", "are not signed"},
	} {
		t.Run(tt.signing, func(t *testing.T) {
			made := r.post("/new", r.webhookForm("/", "signing", tt.signing, "secret", tt.secret))
			page := r.follow("/new", made)
			if tt.shown != "" {
				page.has(`id="new-secret">` + tt.shown)
			} else {
				page.lacks("new-secret", secretText)
			}
			endpoint, _, _ := strings.Cut(resolve(t, "/new", made.header.Get("Location")), "?")
			r.browse(endpoint + "/verify").has(tt.verify)
			r.browse(endpoint + "/secret").want(http.StatusOK)
			// Removed, and set anew.
			r.follow(endpoint+"/rotate", r.post(endpoint+"/rotate", url.Values{"signing": {"none"}, "overlap": {"0s"}})).has("are not signed")
			r.follow(endpoint+"/rotate", r.post(endpoint+"/rotate", url.Values{"signing": {"given"}, "secret": {secretText}})).lacks("new-secret", "Previous")
			r.post(endpoint+"/rotate", url.Values{"signing": {"given"}}).want(http.StatusUnprocessableEntity).has("It is empty")
			r.post(endpoint+"/rotate", url.Values{"signing": {"given"}, "secret": {secretText}}).want(http.StatusUnprocessableEntity).has("has it already")
			r.post(endpoint+"/rotate", url.Values{"overlap": {"-1h"}}).want(http.StatusUnprocessableEntity).has("negative")
		})
	}
}
