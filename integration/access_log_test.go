package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAccessLogWithoutTokens runs the recipe for logs in docs/receiver.md: neither the
// access log nor the log of a refusal nor that of a failure shows what a
// provider's requests are trusted for.
func TestAccessLogWithoutTokens(t *testing.T) {
	recipe := ""
	for _, b := range blocksOf(t, filepath.Join("..", "docs", "receiver.md")) {
		if strings.Contains(b.text, "format filter") {
			recipe = b.text
		}
	}
	if recipe == "" {
		t.Fatal("docs/receiver.md has no recipe for logs")
	}
	app := newSink(t, "")
	c := newCaddy(t)
	site := freeAddress(t)
	const token = "token-that-must-not-be-logged"
	c.env = []string{"GITLAB_TOKEN=" + token}
	for _, change := range []struct{ from, to string }{
		{"{\n\tlog default {", "{\n\tadmin " + c.admin + "\n\tdebug\n\tlog default {"},
		{"hooks.example.com", "http://" + site},
		{"localhost:3000", strings.TrimPrefix(app.URL, "http://")},
	} {
		if strings.Count(recipe, change.from) != 1 {
			t.Fatalf("the recipe does not have %q once:\n%s", change.from, recipe)
		}
		recipe = strings.Replace(recipe, change.from, change.to, 1)
	}
	c.start(recipe)
	headers := func(token string) map[string]string {
		return map[string]string{
			"X-Gitlab-Token": token, "X-Gitlab-Event": "Push Hook",
			"X-Telegram-Bot-Api-Secret-Token": token, "X-Twilio-Signature": token,
		}
	}
	url := "http://" + site + "/in?token=" + token
	if got := send(t, url, headers(token), []byte(`{"n":1}`)); got.status != 200 {
		t.Fatalf("answered %d", got.status)
	}
	if got := send(t, url, headers(token+"-guessed"), []byte(`{"n":2}`)); got.status != 401 {
		t.Fatalf("a guessed token was answered %d", got.status)
	}
	app.Close() // so that the proxy fails, which is logged with the request
	if got := send(t, url, headers(token), []byte(`{"n":3}`)); got.status != 502 {
		t.Fatalf("without an application it was answered %d", got.status)
	}
	for _, want := range []string{`"status":200`, `"status":401`, `"status":502`, `Push Hook`, `signature_mismatch`} {
		waitFor(t, want+" in the log", func() bool { return strings.Contains(c.out.String(), want) })
	}
	c.stop()
	if out := c.out.String(); strings.Contains(out, token) {
		for line := range strings.Lines(out) {
			if strings.Contains(line, token) {
				t.Errorf("the token is in the log: %s", line)
			}
		}
	}
	if saved, err := os.ReadFile(filepath.Join(c.home, "config", "caddy", "autosave.json")); err != nil || strings.Contains(string(saved), token) {
		t.Errorf("the saved configuration holds the token, or is missing: %v", err)
	}
}
