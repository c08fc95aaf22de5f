package settings_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/sender/settings"
	"github.com/manysends/caddy-webhooks/webhook"
)

// raw is a request that was received, as it would be pasted.
func (s *site) raw(t *testing.T, i int) (head, body string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.received[i]
	content, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	head = fmt.Sprintf("POST %s HTTP/1.1\nHost: %s\n", r.URL.Path, r.Host)
	for name, values := range r.Header {
		head += name + ": " + values[0] + "\n"
	}
	return head, string(content)
}

// TestPageExplainsSignatures pastes a request as it was received, and then with
// what people do to one.
func TestPageExplainsSignatures(t *testing.T) {
	r := newRig(t)
	id := r.create("/hooks", `,"active":true`)
	secret := r.do("GET", "/api/endpoints/"+id+"/secret", "").at("secrets.0.secret")
	r.publish("evt_1", "conversation.created", `{"id":"conv_123"}`)
	r.delivery("evt_1", 1)
	head, body := r.site.raw(t, 0)
	path := "/endpoints/" + id + "/verify"
	explain := func(request string, more ...string) *answer {
		t.Helper()
		form := url.Values{"request": {request}}
		for i := 0; i < len(more); i += 2 {
			form.Set(more[i], more[i+1])
		}
		return r.post(path, form).lacks(secret, strings.TrimPrefix(secret, "whsec_"))
	}
	explain(head+"\n"+body).want(http.StatusOK).has("The request is authentic", "Signature in the body")
	explain(strings.ReplaceAll(head+"\n", "\n", "\r\n") + body).has("The request is authentic") // as browsers send what is pasted
	explain(head+"\n"+body+"\n").want(http.StatusOK).has("not authentic", "line break")
	explain(head + "\n" + strings.Replace(body, ":", ": ", 1)).has("not authentic")
	explain(head+"\n"+strings.Replace(body, "conv_123", "conv_124", 1)).has("not authentic", "Failed")
	r.clock.advance(time.Hour)
	explain(head + "\n" + body).has("The request is authentic")
	explain(head+"\n"+body, "age", "1").has("not authentic", "Age", `name="age" value="1" checked`)

	// Lines that end in CR and LF cannot be pasted as such.
	signer, err := webhook.ParseSecret(secret)
	if err != nil {
		t.Fatal(err)
	}
	h := make(http.Header)
	webhook.SetHeaders(h, []webhook.Signer{signer}, "evt_2", r.clock.Now(), []byte("{\r\n}"))
	explain("webhook-id: evt_2\nwebhook-timestamp: "+h.Get("Webhook-Timestamp")+"\nwebhook-signature: "+h.Get("Webhook-Signature")+"\n\n{\r\n}").has("The request is authentic", "CR and LF")

	explain("  ").want(http.StatusUnprocessableEntity).has("It is empty")
	explain("what is this?").want(http.StatusUnprocessableEntity).has(`aria-invalid="true"`, "what is this?")
	explain("webhook-id: evt_1\n\n{}").want(http.StatusOK).has("not authentic")
}

// TestPageHasSnippetsOfAllLanguages guards that they are there, and that a
// secret is in them when that is asked for and not before.
func TestPageHasSnippetsOfAllLanguages(t *testing.T) {
	r := newRig(t)
	a := r.browse("/endpoints/fixed/verify").lacks(secretText, "{{")
	for _, language := range []string{"JavaScript", "Python", "Go", "PHP", "Ruby", "Java", "Shell"} {
		a.has("<summary>" + language + "</summary>")
	}
	if n := strings.Count(a.body, "whsec_YOUR_SECRET_KEY"); n != 7 {
		t.Errorf("the place of the secret is marked %d times, want 7", n)
	}
	filled := r.post("/endpoints/fixed/snippets", nil).want(http.StatusOK).lacks("whsec_YOUR_SECRET_KEY", `id="fill-in"`)
	if n := strings.Count(filled.body, secretText); n != 7 {
		t.Errorf("the secret is there %d times, want 7", n)
	}
}

// TestPagesExplainOneAtATime guards that no tenant takes the processors by having
// many requests looked into, each of which may take a second.
func TestPagesExplainOneAtATime(t *testing.T) {
	r := newRig(t)
	id := r.create("/hooks", `,"active":true`)
	path, form := "/endpoints/"+id+"/verify", url.Values{"request": {"webhook-id: evt_1\n\n{}"}}
	over := settings.Explaining(r.Handler)
	r.post(path, form).want(http.StatusTooManyRequests).has("Another request is being looked into", "webhook-id: evt_1")
	over()
	r.post(path, form).want(http.StatusOK).has("not authentic")
}
