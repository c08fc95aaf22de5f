package integration

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

const explainedSecret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

// ran is how a command went.
type ran struct {
	out, notes string
	code       int
}

// runs runs a command of `caddy webhooks` to its end, with what comes in at
// stdin.
func (c *caddy) runs(stdin string, args ...string) ran {
	c.t.Helper()
	out, notes, code := c.run(stdin, append([]string{"webhooks"}, args...)...)
	return ran{out, notes, code}
}

// put writes a file into the home.
func (c *caddy) put(name, content string) string {
	c.t.Helper()
	path := filepath.Join(c.home, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		c.t.Fatal(err)
	}
	return path
}

// standardHeaders are those of an authentic request.
func standardHeaders(t *testing.T, id string, at time.Time, body string) http.Header {
	t.Helper()
	secret, err := webhook.ParseSecret(explainedSecret)
	if err != nil {
		t.Fatal(err)
	}
	h := make(http.Header)
	webhook.SetHeaders(h, []webhook.Signer{secret}, id, at, []byte(body))
	return h
}

// captured is a request as it is pasted.
func captured(h http.Header, body string) string {
	text := "POST /hooks HTTP/1.1\nHost: hooks.example.com\nContent-Length: " + strconv.Itoa(len(body)) + "\n"
	for name, values := range h {
		text += strings.ToLower(name) + ": " + values[0] + "\n"
	}
	return text + "\n" + body
}

// TestVerifyCommand guards what `caddy webhooks verify` says of captured
// requests, and what it exits with.
func TestVerifyCommand(t *testing.T) {
	c := newCaddy(t)
	c.env = []string{"WEBHOOK_SECRET=" + explainedSecret, "STRIPE_SECRET=" + stripeSecret}
	secret := c.put("secret", explainedSecret+"\n")
	const body = `{"type":"message.created","data":{"n":1}}`
	signedAt := time.Unix(1709634600, 0)
	request := captured(standardHeaders(t, "evt_1", signedAt, body), body)
	file := c.put("request", request)
	bodyFile := c.put("body", body)
	stripeBody := `{"id":"evt_2"}`
	stripeHeader := "Stripe-Signature: " + stripe(stripeSecret, stripeBody)["Stripe-Signature"]
	stripeFile := c.put("stripe", stripeBody)
	config := c.write(`{
	admin off
}
:8080 {
	webhook_receive standard {
		name ours
		secret {env.WEBHOOK_SECRET}
	}
	handle /stripe {
		webhook_receive stripe {
			secret {env.STRIPE_SECRET}
		}
	}
}
`)
	signature := "webhook-signature: " + standardHeaders(t, "evt_1", signedAt, body).Get("webhook-signature")

	tests := []struct {
		name  string
		stdin string
		args  []string
		code  int
		says  []string // in the output, or on stderr where the code is 1 or 2
	}{
		{"authentic", "", []string{"standard", file, "--secret-file", secret, "--at", "1709634660"}, 0, []string{"1m0s ago", "is authentic"}},
		{"from stdin", request, []string{"standard", "--secret-env", "WEBHOOK_SECRET", "--ignore-age"}, 0, []string{"is authentic"}},
		{"too old", request, []string{"standard", "-", "--secret-file", secret, "--at", "2024-03-05T11:30:00Z"}, 3, []string{"1h0m0s ago", "just one hour", "NOT authentic"}},
		{"newline", request + "\n", []string{"standard", "--secret-file", secret, "--ignore-age"}, 3, []string{"Cause:   A line", "Place:   …" + body[len(body)-24:] + `[\n]`}},
		{"JSON", request + "\n", []string{"standard", "--secret-file", secret, "--ignore-age", "--json"}, 3, []string{`"mistake": "body_newline"`, `"start": ` + strconv.Itoa(len(body))}},
		{"in pieces", "", []string{"standard", "--body-file", bodyFile, "--header", "webhook-id: evt_1", "--header", "webhook-timestamp:1709634600", "--header", signature, "--secret-file", secret, "--ignore-age"}, 0, []string{"is authentic"}},
		{"stripe", "", []string{"stripe", "--body-file", stripeFile, "--header", stripeHeader, "--secret-env", "STRIPE_SECRET"}, 0, []string{"is authentic"}},
		{"of a configuration", "", []string{"--config", config, "--receiver", "ours", file, "--ignore-age"}, 0, []string{"is authentic"}},
		{"of another of it", "", []string{"--config", config, "--receiver", "stripe", "--body-file", stripeFile, "--header", stripeHeader}, 0, []string{"is authentic"}},
		{"escapes", captured(http.Header{"Webhook-Id": {"a"}, "Webhook-Timestamp": {"1"}, "X-Sig\u001b[31m": {"b"}}, body), []string{"standard", "--secret-file", secret}, 1, []string{`x-sig\x1b[31m`}},

		{"which of it", "", []string{"--config", config, file}, 2, []string{"ours, stripe"}},
		{"none of it", "", []string{"--config", config, "--receiver", "x", file}, 2, []string{`"x"`}},
		{"no secret", request, []string{"standard"}, 2, []string{"there is no secret"}},
		{"no provider", "", nil, 2, []string{"provider is missing"}},
		{"unknown provider", request, []string{"githup", "--secret-file", secret}, 2, []string{"github"}},
		{"two from stdin", "", []string{"standard", "--secret-file", "-"}, 2, []string{"both come from stdin"}},
		{"no time", request, []string{"standard", "--secret-file", secret, "--at", "noon"}, 2, []string{"--at"}},
		{"a provider beside a configuration", "", []string{"standard", file, "--config", config}, 2, []string{"--config has the provider already"}},
		{"no request", body, []string{"standard", "--secret-file", secret}, 1, []string{"line 1 is neither"}},
		{"no file", "", []string{"standard", "nowhere", "--secret-file", secret}, 1, []string{"nowhere"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := c.runs(tt.stdin, append([]string{"verify"}, tt.args...)...)
			if got.code != tt.code {
				t.Errorf("exit code %d, want %d\n%s%s", got.code, tt.code, got.out, got.notes)
			}
			text := got.out
			if tt.code == 1 || tt.code == 2 {
				text = got.notes
			}
			for _, part := range tt.says {
				if !strings.Contains(text, part) {
					t.Errorf("%q is not in:\n%s", part, text)
				}
			}
			if (got.code == 0 || got.code == 3) && got.notes != "" {
				t.Errorf("beside the answer it says:\n%s", got.notes)
			}
			if all := got.out + got.notes; strings.Contains(all, explainedSecret) || strings.Contains(all, stripeSecret) || strings.Contains(all, "\x1b") {
				t.Errorf("a secret or an escape sequence is in:\n%s", all)
			}
		})
	}
}

// TestListenCommand guards `caddy webhooks listen`: each request is shown and
// explained, answered as asked, passed on, and Ctrl-C ends it well.
func TestListenCommand(t *testing.T) {
	c := newCaddy(t)
	app := newSink(t, "")
	secret := c.put("secret", explainedSecret)
	address := freeAddress(t)
	var out, notes output
	cmd := c.command("webhooks", "listen", "--secret-file", secret, "--listen", address, "--fail", "1", "--forward", app.URL+"/in", "--json")
	cmd.Stdout, cmd.Stderr = &out, &notes
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	waitFor(t, "the listener", func() bool { return strings.Contains(notes.String(), "Listening at http://"+address) })
	for _, part := range []string{"verified as standard", "allow 127.0.0.1", "secret {file." + secret + "}"} {
		if !strings.Contains(notes.String(), part) {
			t.Errorf("%q is not in:\n%s", part, notes.String())
		}
	}

	const body = `{"type":"message.created","data":{"n":1}}`
	good := standardHeaders(t, "evt_1", time.Now(), body)
	changed := "\x1b\u202e" + body // which must not get to a terminal
	for _, step := range []struct {
		body   string
		status int
	}{{body, 500}, {body, 200}, {body, 200}, {changed, 401}, {"", 401}} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/hooks?a=1", strings.NewReader(step.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = good.Clone()
		if resp, _ := exchange(t, req); resp.StatusCode != step.status {
			t.Errorf("%q was answered %d, want %d", step.body, resp.StatusCode, step.status)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after Ctrl-C: %v\n%s", err, notes.String())
	}
	if !strings.Contains(notes.String(), "Stopped after 5 requests.") {
		t.Errorf("stderr:\n%s", notes.String())
	}

	if strings.ContainsAny(out.String(), "\x1b\u202e") {
		t.Errorf("what drives a terminal is in:\n%s", out.String())
	}
	var verdicts []string
	for line := range strings.Lines(out.String()) {
		var shown struct {
			Verdict, ID, Type, Body string
			Status                  int
			Explanation             *struct{ Mistake, Cause string }
		}
		if err := json.Unmarshal([]byte(line), &shown); err != nil {
			t.Fatalf("not a line of JSON: %q: %v", line, err)
		}
		verdict := shown.Verdict + " " + strconv.Itoa(shown.Status)
		if shown.Explanation != nil {
			verdict += " " + shown.Explanation.Mistake
		}
		verdicts = append(verdicts, verdict)
		if shown.Verdict == "authentic" && (shown.ID != "evt_1" || shown.Type != "message.created" || shown.Body != body) {
			t.Errorf("shown: %s", line)
		}
	}
	want := "authentic 500, authentic 200, duplicate 200, not_authentic 401 unknown, not_authentic 401 body_empty"
	if got := strings.Join(verdicts, ", "); got != want {
		t.Errorf("verdicts:\n%s\nwant:\n%s", got, want)
	}
	if got := app.deliveries(); len(got) != 1 || string(got[0].bytes()) != body || got[0].Headers.Get("webhook-id") != "evt_1" {
		t.Errorf("passed on: %+v", got)
	}
}

// TestListenCommandForPeople guards what people see: nothing drives the
// terminal, and without a secret it is said that nothing is verified.
func TestListenCommandForPeople(t *testing.T) {
	c := newCaddy(t)
	address := freeAddress(t)
	var out, notes output
	cmd := c.command("webhooks", "listen", "--listen", address, "--status", "202")
	cmd.Stdout, cmd.Stderr = &out, &notes
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	waitFor(t, "the listener", func() bool { return strings.Contains(notes.String(), "Listening at") })
	if status, _ := post(t, "http://"+address+"/a", "text/plain", []byte("red \x1b[31m \u202eabc\nnext")); status != 202 {
		t.Errorf("answered %d", status)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	text := out.String()
	for _, part := range []string{"POST /a from 127.0.0.1:", "not verified", `  red \x1b[31m \u202eabc` + "\n  next\n", "Answered 202"} {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in:\n%s", part, text)
		}
	}
	if !strings.Contains(notes.String(), "Nothing is verified") {
		t.Errorf("stderr:\n%s", notes.String())
	}
	for _, args := range [][]string{{"--status", "42"}, {"--fail", "-1"}, {"--delay", "-1s"}, {"--forward", "localhost"}, {"github"}, {"--provider", "nobody", "--secret-file", c.put("s", "x")}} {
		if got := c.runs("", append([]string{"listen"}, args...)...); got.code != 2 || got.notes == "" {
			t.Errorf("%q: exit code %d: %s", args, got.code, got.notes)
		}
	}
	// What is wrong with an address comes with what to do.
	taken := newSink(t, "").Listener.Addr().String()
	for _, tt := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"--listen", taken}, 1, taken + " is in use by another program: stop that, or give another one with --listen"},
		{[]string{"--listen", "192.0.2.1:8082"}, 1, "192.0.2.1:8082 is no address of this machine: give another one with --listen"},
		{[]string{"--listen", "localhost:nowhere"}, 2, "give another one with --listen"},
		{[]string{"--provider", "nobody"}, 2, `--provider "nobody" is unknown`},
		{[]string{"--secret-env", ""}, 2, "--secret-env has an empty value"},
	} {
		if got := c.runs("", append([]string{"listen"}, tt.args...)...); got.code != tt.code || !strings.Contains(got.notes, tt.says) {
			t.Errorf("%q: exit code %d, want %d: %s", tt.args, got.code, tt.code, got.notes)
		}
	}
}

// TestDoctorCommand guards that `caddy webhooks doctor` sends a signed sample
// under the rules of deliveries, and says what comes of it.
func TestDoctorCommand(t *testing.T) {
	c := newCaddy(t)
	site := newSink(t, "")
	site.answer = func(n int) int { return map[bool]int{true: 204, false: 403}[n == 1] }
	secret := c.put("secret", explainedSecret)
	open := []string{"--allow", "127.0.0.1", "--allow-http", "--secret-file", secret}
	tests := []struct {
		name string
		args []string
		code int
		says []string
	}{
		{"taken", append([]string{site.URL + "/hooks", "--type", "message.created"}, open...), 0, []string{"ok      answer", "204 No Content", "is signed", "ok: The endpoint took the sample"}},
		{"refused", append([]string{site.URL + "/hooks"}, open...), 3, []string{"failed  answer", "-> Check that it has this webhook's secret", "failed: "}},
		{"JSON", append([]string{site.URL + "/hooks", "--json", "--type", "own.type"}, open...), 3, []string{`"ok": false`, `"name": "answer"`, `"type": "own.type"`}},
		{"loopback", []string{site.URL, "--allow-http"}, 3, []string{"failed  egress", "loopback", "with --allow;"}},
		{"http", []string{site.URL, "--allow", "127.0.0.0/8"}, 3, []string{"failed  url", "https://", "give --allow-http."}},
		{"an empty rule", []string{site.URL, "--allow", ""}, 2, []string{"--allow has an empty value"}},
		{"nobody there", append([]string{"http://" + freeAddress(t)}, open...), 3, []string{"failed  connect"}},
		{"no URL", nil, 2, []string{"the URL"}},
		{"bad rule", []string{site.URL, "--allow", "a b"}, 2, []string{"a b"}},
		{"bad secret", append([]string{site.URL, "--secret-env", "BAD"}, open[:3]...), 2, []string{"whsec_"}},
		{"bad type", append([]string{site.URL, "--type", "No Type"}, open...), 2, []string{"No Type"}},
		{"bad timeout", append([]string{site.URL, "--timeout", "-1s"}, open...), 2, []string{"--timeout"}},
	}
	c.env = []string{"BAD=short"}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := c.runs("", append([]string{"doctor"}, tt.args...)...)
			text := got.out
			if tt.code == 2 {
				text = got.notes
			}
			if got.code != tt.code {
				t.Errorf("exit code %d, want %d\n%s%s", got.code, tt.code, got.out, got.notes)
			}
			for _, part := range tt.says {
				if !strings.Contains(text, part) {
					t.Errorf("%q is not in:\n%s", part, text)
				}
			}
		})
	}
	first := site.deliveries()[0]
	key, err := webhook.ParseVerifier(explainedSecret)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := webhook.Verify([]webhook.Verifier{key}, first.Headers, first.bytes(), time.Now(), 5*time.Minute); err != nil {
		t.Errorf("the sample is not signed as it should be: %v", err)
	}
	if !strings.HasPrefix(string(first.bytes()), `{"event":"message.created",`) {
		t.Errorf("the sample is %s", first.bytes())
	}
}
