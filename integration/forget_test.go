package integration

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestForgettingAnEvent makes a receiver take an event for a new one again,
// through the admin API and on the command line, also after a reload and after
// a configuration was rejected.
func TestForgettingAnEvent(t *testing.T) {
	app := newSink(t, "")
	c := newCaddy(t)
	site := freeAddress(t)
	with := func(size string) string {
		return receiverCaddyfile(c.admin, site, app.URL, "webhook_receive stripe {\n\t\tname hooks\n\t\tsecret "+stripeSecret+"\n\t\tmax_size "+size+"\n\t}")
	}
	c.start(with("1MiB"))
	event := func(id string) bool {
		t.Helper()
		body := `{"id":"` + id + `","type":"charge.succeeded"}`
		got := send(t, "http://"+site, stripe(stripeSecret, body), []byte(body))
		if got.status != 200 {
			t.Fatalf("answered %d", got.status)
		}
		return got.duplicate
	}
	request := func(method, path string, header ...string) (int, string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, method, "http://"+c.admin+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(header) == 2 {
			req.Header.Set(header[0], header[1])
		}
		resp, answer := exchange(t, req)
		var problem struct{ Detail, Error string }
		if len(answer) > 0 && json.Unmarshal(answer, &problem) != nil {
			t.Fatalf("the answer is not JSON: %q", answer)
		}
		return resp.StatusCode, problem.Detail + problem.Error // the latter is Caddy's own
	}

	const id = "a/b c.."
	event(id)
	for _, tt := range []struct {
		method, path string
		header       []string
		status       int
		sentence     string
	}{
		{"GET", "/webhooks/received/hooks/x", nil, 405, "the method GET is not understood here: use DELETE"},
		{"POST", "/webhooks/received/hooks/x", nil, 405, "the method POST is not understood here: use DELETE"},
		{"DELETE", "/webhooks/received/hooks", nil, 400, "the path names no event: use /webhooks/received/<receiver>/<id>"},
		{"DELETE", "/webhooks/received/hooks/", nil, 400, "the path names no event: use /webhooks/received/<receiver>/<id>"},
		{"DELETE", "/webhooks/received/others/x", nil, 404, `there is no such receiver as "others": use one of hooks`},
		{"DELETE", "/webhooks/received/hooks/x", nil, 404, `the receiver "hooks" does not remember an event "x": it was not processed, it is forgotten already, or its ID is not signed and many have come since`},
		{"DELETE", "/webhooks/received/hooks/a%2Fb%20c..", []string{"Origin", "https://evil.example"}, 403, "client is not allowed to access from origin 'https://evil.example'"},
		{"DELETE", "/webhooks/received/hooks/a%2Fb%20c..", nil, 204, ""},
	} {
		if !event(id) {
			t.Fatalf("before %s %s: the event is not known", tt.method, tt.path)
		}
		status, sentence := request(tt.method, tt.path, tt.header...)
		if status != tt.status || sentence != tt.sentence {
			t.Errorf("%s %s: answered %d %q, want %d %q", tt.method, tt.path, status, sentence, tt.status, tt.sentence)
		}
	}
	if event(id) {
		t.Error("the event is still known")
	}

	forget := func(args ...string) (string, error) {
		out, err := c.command(append([]string{"webhooks", "forget", "--address", c.admin}, args...)...).CombinedOutput()
		return string(out), err
	}
	for _, tt := range []struct {
		name, caddyfile string
		accepted        bool
	}{
		{"after a reload", with("2MiB"), true},
		{"after another app could not start", with("3MiB") + cannotStart, false},
		{"after the receiver was refused", with("4MiB\n\t\ttolerance 5m\n\t\tkey sha9"), false},
	} {
		if out, err := c.reload(tt.caddyfile); (err == nil) != tt.accepted {
			t.Fatalf("%s: %v\n%s", tt.name, err, out)
		}
		if !event(id) {
			t.Fatalf("%s: the event is not known", tt.name)
		}
		if out, err := forget("hooks", id); err != nil {
			t.Errorf("%s: %v\n%s", tt.name, err, out)
		}
		if event(id) {
			t.Errorf("%s: the event is still known", tt.name)
		}
	}
	event("..")
	for _, tt := range []struct {
		args []string
		says string
	}{
		{[]string{"hooks", "unknown"}, `the receiver "hooks" does not remember an event "unknown"`},
		{[]string{"others", "x"}, `there is no such receiver as "others"`},
		{[]string{"hooks"}, "the ID is missing: write: caddy webhooks forget <receiver> <id>"},
		{[]string{"hooks", ""}, "the ID is empty"},
		{[]string{"..", "..."}, `there is no such receiver as ".."`},
	} {
		if out, err := forget(tt.args...); err == nil || !strings.Contains(out, tt.says) {
			t.Errorf("forget %q: %v\n%s", tt.args, err, out)
		}
	}
	if out, err := c.command("webhooks", "forget", "--config", c.write(with("2MiB")), "hooks", id).CombinedOutput(); err != nil {
		t.Errorf("with the address from the configuration: %v\n%s", err, out)
	}
}
