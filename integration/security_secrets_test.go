package integration

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// planted are secrets by what they are, each as it is written in a
// configuration.
type planted map[string]string

// plant makes secrets that stand out.
func plant() planted {
	text := func(what string) string { return "planted-" + what + "-0123456789abcdef" }
	whsec := func(what string) string { return "whsec_" + base64.StdEncoding.EncodeToString([]byte(text(what))) }
	return planted{
		"endpoint_secret": whsec("endpoint"), "managed_secret": whsec("managed"), "receiver_secret": whsec("receiver"), "signer_secret": whsec("signer"),
		"github_secret": text("github"), "token": text("gitlab"), "verify_token": text("meta"),
		"header_value": text("header"), "url_password": text("password"), "managed_header": text("managed-header"), "proxy_password": text("proxy"),
		"encryption_key": base64.StdEncoding.EncodeToString([]byte("planted-key-0123456789abcdefghij")),
	}
}

// env are the secrets as environment variables.
func (p planted) env() (list []string) {
	for what, secret := range p {
		list = append(list, strings.ToUpper(what)+"="+secret)
	}
	return list
}

// forms are those that a secret may appear in: as it is, as what it stands for,
// and in the usual encodings of either.
func forms(secret string) (list [][]byte) {
	plain := [][]byte{[]byte(secret)}
	if raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_")); err == nil && len(raw) >= 24 {
		plain = append(plain, raw, []byte(strings.TrimPrefix(secret, "whsec_")))
	}
	for _, text := range plain {
		list = append(list, text, []byte(hex.EncodeToString(text)), []byte(strings.ToUpper(hex.EncodeToString(text))), []byte(url.QueryEscape(string(text))))
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			for shift := range 3 { // as a part of something longer
				encoded := encoding.EncodeToString(append(make([]byte, shift), text...))
				// Of the first and the last characters, other bits may be other bytes'.
				list = append(list, []byte(encoded[(shift*8+5)/6:len(encoded)-2]))
			}
		}
	}
	return list
}

// absent checks that no secret is in some text, in any form.
func (p planted) absent(t *testing.T, where string, text []byte) {
	t.Helper()
	for what, secret := range p {
		for _, form := range forms(secret) {
			if i := bytes.Index(text, form); i >= 0 {
				t.Errorf("%s: there is the %s: …%q…", where, what, text[max(0, i-80):min(len(text), i+len(form)+40)])
				break
			}
		}
	}
}

// TestPlantedSecretsAreFound guards the test below: a secret in any of the forms
// is found.
func TestPlantedSecretsAreFound(t *testing.T) {
	secret := plant()["managed_secret"]
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"as it is": "x" + secret, "without its prefix": secret[6:], "raw": "a" + string(raw) + "b", "hex": hex.EncodeToString([]byte("12" + string(raw))),
		"base64 in something": base64.StdEncoding.EncodeToString([]byte("user:" + string(raw) + "!")), "base64url": base64.RawURLEncoding.EncodeToString([]byte("p" + secret)),
		"in a URL": url.QueryEscape("a " + secret),
	} {
		found := false
		for _, form := range forms(secret) {
			found = found || bytes.Contains([]byte(text), form)
		}
		if !found {
			t.Errorf("%s: %q is not found", name, text)
		}
	}
}

// secretsCaddyfile has a secret wherever one can be.
func secretsCaddyfile(admin, site, application, breaking, customer string) string {
	return fmt.Sprintf(`{
	admin %s
	debug
	metrics
	webhooks {
		event_types *
		encryption_key {env.ENCRYPTION_KEY}
		egress {
			allow 127.0.0.1
			allow_http
		}
		endpoint crm http://user:{env.URL_PASSWORD}@%s/crm {
			secret {env.ENDPOINT_SECRET}
			header X-Api-Key {env.HEADER_VALUE}
		}
		endpoint gone http://user:{env.URL_PASSWORD}@127.0.0.1:1/gone {
			secret {env.ENDPOINT_SECRET}
			header Authorization {env.HEADER_VALUE}
		}
	}
}

http://%s {
	log
	handle /events {
		webhook_publish
	}
	handle_path /settings/* {
		webhook_settings
	}
	handle /github {
		webhook_receive github {
			secret {env.GITHUB_SECRET}
		}
		reverse_proxy %s
	}
	handle /standard {
		webhook_receive standard {
			secret {env.RECEIVER_SECRET}
			dedupe 24h {
				persist
			}
		}
		reverse_proxy 127.0.0.1:1
	}
	handle /gitlab {
		webhook_receive gitlab_token {
			secret {env.TOKEN}
		}
		reverse_proxy %s
	}
	handle /meta {
		webhook_receive facebook {
			secret {env.GITHUB_SECRET}
			parameter verify_token {env.VERIFY_TOKEN}
		}
		reverse_proxy %s
	}
	handle /abort {
		webhook_receive github {
			name abort
			secret {env.GITHUB_SECRET}
		}
		reverse_proxy %s
	}
	handle /sign {
		webhook_sign standard {
			secret {env.SIGNER_SECRET}
		}
		reverse_proxy %s
	}
}
`, admin, customer, site, application, application, application, breaking, application)
}

// shownAt is what is answered to a GET.
func shownAt(t *testing.T, address string, header ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, text := exchange(t, req)
	return append([]byte(fmt.Sprint(resp.StatusCode, resp.Header, "\n")), text...)
}

// TestSecretsAreNowhere puts a secret wherever one can be, has everything done
// with them that is done, failures included, and looks for them in all that comes
// out: answers, pages, logs at debug level, metrics, profiles, Caddy's
// configuration as it is shown and saved, what the commands print, files, and the
// stacks of a process that is brought down.
func TestSecretsAreNowhere(t *testing.T) {
	secrets := plant()
	app, customer := newOrigin(t), newSink(t, "")
	c := newCaddy(t)
	c.env = secrets.env()
	site := freeAddress(t)
	breaking := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, "the beginning")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(breaking.Close)
	caddyfile := secretsCaddyfile(c.admin, site, app.URL, breaking.URL, strings.TrimPrefix(customer.URL, "http://"))
	c.start(caddyfile)
	owner := account{t, site + "/settings", ""}
	look := func(where string, text []byte) { t.Helper(); secrets.absent(t, where, text) }

	// An endpoint of a customer. It is told its own secret once, which is left out.
	made := owner.call("POST", "/api/endpoints", fmt.Sprintf(`{"url":"http://user:%s@%s/managed","secret":%q,"headers":{"X-Token":%q},"active":true,"description":"managed"}`,
		secrets["url_password"], strings.TrimPrefix(customer.URL, "http://"), secrets["managed_secret"], secrets["managed_header"]))
	if made.status != http.StatusCreated {
		t.Fatalf("the endpoint is answered %d %s", made.status, made.body)
	}
	managed := idOf(made.body)
	for _, body := range []string{
		fmt.Sprintf(`{"url":"ftp://user:%s@example.com/","secret":%q,"headers":{"X-Token":%q}}`, secrets["url_password"], secrets["managed_secret"], secrets["managed_header"]),
		fmt.Sprintf(`{"url":"http://user:%s@exa mple.com/"}`, secrets["url_password"]), fmt.Sprintf(`{"url":"http://10.0.0.1/","secret":"%s!"}`, secrets["managed_secret"]),
		fmt.Sprintf(`{"url":"http://127.0.0.1/","headers":{"X-Token":"%s\u0000"}}`, secrets["managed_header"]), fmt.Sprintf(`{"url":"http://127.0.0.1/","secret":%q`, secrets["managed_secret"]),
		fmt.Sprintf(`{"url":"http://127.0.0.1/","filter":"data.x == '%s'"`, secrets["managed_header"]), fmt.Sprintf(`{"url":"http://127.0.0.1/","headers":{"Host":%q}}`, secrets["managed_header"]),
	} {
		got := owner.call("POST", "/api/endpoints", body)
		if got.status < 400 {
			t.Errorf("%s is answered %d", body, got.status)
		}
		look("the answer to "+body, []byte(got.body))
	}
	look("a change", []byte(owner.want(http.StatusOK, "PATCH", "/api/endpoints/"+managed, fmt.Sprintf(`{"headers":{"X-Token":%q,"X-More":%q}}`, secrets["managed_header"], secrets["header_value"]), nil).body))

	// Events: delivered, failed, tested, retried.
	id := publish(t, site, exampleEvent)
	waitFor(t, "deliveries", func() bool { return len(customer.deliveries()) >= 2 })
	used := make(http.Header)
	for _, d := range customer.deliveries() {
		for _, name := range []string{"X-Api-Key", "X-Token", "Authorization"} {
			used[name] = append(used[name], d.Headers[name]...)
		}
	}
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("user:"+secrets["url_password"]))
	if !slices.Contains(used["X-Api-Key"], secrets["header_value"]) || !slices.Contains(used["X-Token"], secrets["managed_header"]) || !slices.Contains(used["Authorization"], basic) {
		t.Errorf("the secrets are not in use: %v", used)
	}
	for _, endpoint := range []string{"crm", "gone", managed} {
		look("a test of "+endpoint, []byte(owner.want(http.StatusOK, "POST", "/api/endpoints/"+endpoint+"/test", "{}", nil).body))
	}
	waitFor(t, "the failure", func() bool { return strings.Contains(c.out.String(), "attempt failed") })

	// Requests to receivers: right, wrong, too late, to an application that is away,
	// broken off.
	const body = `{"type":"a.b","data":{"n":1}}`
	secretsOf := map[string]map[string]string{
		"/github":   github(secrets["github_secret"], "delivery-1", body),
		"/standard": {"Webhook-Id": "evt_1", "Webhook-Timestamp": "1", "Webhook-Signature": "v1,AAAA"},
		"/sign":     {"Content-Type": "application/json"},
	}
	for path, headers := range secretsOf {
		got := send(t, "http://"+site+path, headers, []byte(body))
		look(path, []byte(fmt.Sprint(got)))
	}
	for _, headers := range []map[string]string{github("guessed", "delivery-2", body), {"X-Hub-Signature-256": "sha256=zz"}, {}} {
		look("a refusal", []byte(fmt.Sprint(send(t, "http://"+site+"/github", headers, []byte(body)))))
	}
	look("a wrong token", []byte(fmt.Sprint(send(t, "http://"+site+"/gitlab", map[string]string{"X-Gitlab-Token": "guessed"}, []byte(body)))))
	look("a handshake", shownAt(t, "http://"+site+"/meta?hub.mode=subscribe&hub.verify_token=guessed&hub.challenge=1"))
	aborted, err := trySend(t, "http://"+site+"/abort", github(secrets["github_secret"], "delivery-3", body), []byte(body))
	if err == nil {
		t.Errorf("an application that breaks off is answered %d", aborted.status)
	}
	_ = raw(t, site, "POST /github HTTP/1.1\r\nHost: "+site+"\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")

	// Everything that can be read.
	for _, path := range []string{
		"/", "/new", "/endpoints/crm", "/endpoints/crm/edit", "/endpoints/crm/secret", "/endpoints/crm/verify", "/endpoints/crm/test", "/endpoints/" + managed, "/endpoints/" + managed + "/edit",
		"/endpoints/" + managed + "/secret", "/endpoints/" + managed + "/verify", "/endpoints/" + managed + "/delete", "/deliveries", "/events/" + id, "/overview", "/replay", "/replays", "/nothing",
		"/api/endpoints", "/api/endpoints/crm", "/api/endpoints/" + managed, "/api/deliveries", "/api/events/" + id, "/api/event-types", "/api/stats", "/api/replays", "/api/openapi.json",
		"/deliveries/dlv_1_crm", "/deliveries/dlv_1_gone", "/api/deliveries/dlv_1_crm", "/api/deliveries/dlv_1_gone",
	} {
		look("the page "+path, shownAt(t, "http://"+site+"/settings"+path, "Accept", "text/html"))
	}
	admin := "http://" + c.admin
	for _, path := range []string{
		"/config/", "/config/apps/webhooks", "/metrics", "/webhooks/status", "/webhooks/endpoints", "/webhooks/endpoints/" + managed, "/webhooks/deliveries", "/webhooks/events/" + id, "/webhooks/stats", "/webhooks/replays",
		"/reverse_proxy/upstreams", "/debug/vars", "/debug/pprof/goroutine?debug=2", "/debug/pprof/heap?debug=1", "/debug/pprof/allocs?debug=1", "/debug/pprof/cmdline", "/debug/pprof/mutex?debug=1", "/webhooks/endpoints/" + managed + "/secret",
	} {
		look("the admin endpoint at "+path, shownAt(t, admin+path))
	}
	at, request := "--address="+c.admin, filepath.Join(t.TempDir(), "request.txt")
	writeFile(t, request, "POST /github HTTP/1.1\nX-Hub-Signature-256: sha256="+hexHMAC("guessed", body)+"\nX-Gitlab-Token: guessed\n\n"+body)
	for _, args := range [][]string{
		{"status", at}, {"status", "--json", at}, {"endpoints", at}, {"endpoints", "--json", at}, {"show", "crm", at}, {"deliveries", at}, {"show", id, at}, {"show", id, "--json", at},
		{"test", "crm", at}, {"test", "gone", at}, {"test", "crm", "--json", at}, {"replay", "--dry-run", "--since", "1h", at},
		{"verify", "--config", filepath.Join(c.home, "Caddyfile"), "--receiver", "github", request}, {"verify", "--config", filepath.Join(c.home, "Caddyfile"), "--receiver", "gitlab_token", request},
		{"verify", "github", request, "--secret-env", "GITHUB_SECRET", "--json"},
		{"doctor", "--secret-env", "ENDPOINT_SECRET", "http://user:" + secrets["url_password"] + "@" + strings.TrimPrefix(customer.URL, "http://") + "/"},
	} {
		out, err := c.command(append([]string{"webhooks"}, args...)...).CombinedOutput()
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == 2 {
			t.Errorf("caddy webhooks %s is misused: %s", strings.Join(args, " "), out)
		}
		look("caddy webhooks "+strings.Join(args, " "), out)
	}

	// Configurations with a mistake beside each secret.
	for from, to := range map[string]string{
		"secret {env.ENDPOINT_SECRET}": "secret {env.ENDPOINT_SECRET}x", "secret {env.RECEIVER_SECRET}": "secret {env.RECEIVER_SECRET}!", "secret {env.SIGNER_SECRET}": "secret {env.SIGNER_SECRET}!",
		"encryption_key {env.ENCRYPTION_KEY}": "encryption_key {env.ENCRYPTION_KEY}AAAA", "user:{env.URL_PASSWORD}@127.0.0.1:1/gone": "user:{env.URL_PASSWORD}@127.0.0.1:99999/gone",
		"header X-Api-Key {env.HEADER_VALUE}": "header Host {env.HEADER_VALUE}", "parameter verify_token": "parameter verify_tokens", "allow_http": "proxy ftp://user:{env.PROXY_PASSWORD}@127.0.0.1:1",
		"http://user:{env.URL_PASSWORD}@127.0.0.1:1/gone": "ftp://user:{env.URL_PASSWORD}@127.0.0.1/gone",
	} {
		if !strings.Contains(caddyfile, from) {
			t.Fatalf("the Caddyfile has no %q", from)
		}
		wrong := strings.Replace(caddyfile, from, to, 1)
		out, err := c.validate(wrong)
		if err == nil {
			t.Errorf("a Caddyfile with %q is valid", to)
		}
		look("caddy validate with "+to, []byte(out))
		out, _ = c.reload(wrong)
		look("caddy reload with "+to, []byte(out))
	}
	adapted, err := c.command("adapt", "--config", c.write(caddyfile), "--adapter", "caddyfile").CombinedOutput()
	if err != nil {
		t.Errorf("adapting: %v", err)
	}
	look("caddy adapt", adapted)

	// Through a proxy that is not there, whose URL has a password.
	if out, err := c.reload(strings.Replace(caddyfile, "allow_http", "allow_http\n\t\t\tproxy http://user:{env.PROXY_PASSWORD}@127.0.0.1:1", 1)); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	report := owner.want(http.StatusOK, "POST", "/api/endpoints/crm/test", "{}", nil).body
	if !strings.Contains(report, "proxy") {
		t.Errorf("a test through a proxy that is not there says %s", report)
	}
	look("a test through a proxy that is not there", []byte(report))
	look("Caddy's configuration with a proxy", shownAt(t, admin+"/config/"))

	// The end of the process, with all its stacks.
	if err := c.cmd.Process.Signal(syscall.SIGABRT); err != nil {
		t.Fatal(err)
	}
	<-c.ended
	if !strings.Contains(c.out.String(), "goroutine ") {
		t.Errorf("the process has left no stacks")
	}
	look("what Caddy printed", []byte(c.out.String()))
	files := 0
	err = filepath.WalkDir(c.home, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		look("the file "+strings.TrimPrefix(path, c.home), text)
		return nil
	})
	if err != nil || files < 4 {
		t.Errorf("%d files were read: %v", files, err)
	}
}

// TestFilesAreTheOwnersAlone: whatever the umask, nobody else can read what is
// kept.
func TestFilesAreTheOwnersAlone(t *testing.T) {
	customer := newSink(t, "")
	c := newCaddy(t)
	c.env = plant().env()
	site := freeAddress(t)
	old := syscall.Umask(0) // of this process, which the new one takes over
	c.start(secretsCaddyfile(c.admin, site, customer.URL, customer.URL, strings.TrimPrefix(customer.URL, "http://")))
	syscall.Umask(old)
	publish(t, site, exampleEvent)
	waitFor(t, "the delivery", func() bool { return len(customer.deliveries()) > 0 })
	folder := filepath.Join(c.home, "data", "caddy", "webhooks")
	seen := make(map[string]bool)
	check := func() {
		t.Helper()
		err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := entry.Info()
			if err != nil {
				return err
			}
			seen[filepath.Ext(path)] = true
			if info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s is %s", path, info.Mode())
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	check()
	c.stop()
	check()
	for _, ext := range []string{"", ".db", ".lock", ".seen"} {
		if !seen[ext] {
			t.Errorf("there was no file %q in %s: %v", ext, folder, seen)
		}
	}
}
