package integration

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// run runs a command of the binary with something at its stdin.
func (c *caddy) run(stdin string, args ...string) (stdout, stderr string, code int) {
	c.t.Helper()
	cmd := c.command(args...)
	var out, notes bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &notes
	err := cmd.Run()
	if cmd.ProcessState == nil {
		c.t.Fatal(err)
	}
	return out.String(), notes.String(), cmd.ProcessState.ExitCode()
}

// TestSecretAndSignCommands makes secrets with `caddy webhooks secret` and has
// `caddy webhooks sign` send with them what a receiver of a running Caddy
// accepts.
func TestSecretAndSignCommands(t *testing.T) {
	app := newSink(t, "")
	c := newCaddy(t)
	site := freeAddress(t)
	keep := func(name, content string) string {
		t.Helper()
		path := filepath.Join(c.home, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	made := func(args ...string) string {
		t.Helper()
		out, notes, code := c.run("", append([]string{"webhooks", "secret"}, args...)...)
		if code != 0 || strings.Count(out, "\n") != 1 {
			t.Fatalf("secret %v: exit code %d, printed %q and %q", args, code, out, notes)
		}
		return out
	}
	body := keep("body.json", nastyData)
	public := filepath.Join(c.home, "public")
	standard := keep("standard", made())
	private := keep("private", made("--provider", "ed25519", "--public", public))
	github := keep("github", made("--provider", "github", "--bytes", "20"))
	discord := keep("discord", made("--provider", "discord", "--public", public+"-discord"))
	c.start(receiverCaddyfile(c.admin, site, app.URL, `webhook_receive /standard standard {
		secret {file.`+standard+`}
	}
	webhook_receive /ed25519 standard {
		secret {file.`+public+`}
	}
	webhook_receive /github github {
		secret {file.`+github+`}
	}
	webhook_receive /discord discord {
		secret {file.`+public+`-discord}
	}`))
	for i, tt := range []struct{ path, provider, secret string }{
		{"standard", "standard", standard},
		{"ed25519", "standard", private},
		{"github", "github", github},
		{"discord", "discord", discord},
	} {
		out, notes, code := c.run("", "webhooks", "sign", tt.provider, "--secret-file", tt.secret, "--data-file", body, "--send", "http://"+site+"/"+tt.path)
		if code != 0 || out != "200 OK\n" {
			t.Errorf("%s: exit code %d, printed %q and %q", tt.path, code, out, notes)
		}
		all := app.deliveries()
		if len(all) != i+1 || string(all[i].bytes()) != nastyData {
			t.Fatalf("%s: it has not arrived as it was", tt.path)
		}
	}

	// Too old to be accepted.
	out, _, code := c.run("", "webhooks", "sign", "standard", "--secret-file", standard, "--data-file", body, "--send", "http://"+site+"/standard", "--timestamp", "2024-03-05T10:30:00Z", "--json")
	var answer struct{ Status int }
	if err := json.Unmarshal([]byte(out), &answer); err != nil || code != 3 || answer.Status != 401 {
		t.Errorf("an old one: exit code %d, printed %q", code, out)
	}

	// The documented vector, as headers, as JSON and as a whole request.
	vector := []string{"webhooks", "sign", "standard", "--secret-file", keep("vector", testSecret+"\n"), "--id", "evt_0192f0c1a2b37c4d8e5f60718293a4b5", "--timestamp", "1709634600"}
	const event = `{"event":"conversation.created","timestamp":"2024-03-05T10:30:00Z","data":{"id":"conv_123","status":"open","inbox_id":1,"contact_id":456},"signature":"sha256=a402d95ddc0a0141cbc0b1f3b759444d2da52b6f41d53678c2227af07e6a30ad"}`
	const headers = "Content-Type: application/json\nUser-Agent: caddy-webhooks\nWebhook-Id: evt_0192f0c1a2b37c4d8e5f60718293a4b5\nWebhook-Signature: v1,lzeWAiyRfH2KxX8DXuSUfMd0jhG7k2flAAwnTUfduFM=\nWebhook-Timestamp: 1709634600\n"
	if out, notes, code := c.run(event, vector...); code != 0 || out != headers {
		t.Errorf("headers: exit code %d, printed %q and %q", code, out, notes)
	}
	whole := "POST /hooks?a=1 HTTP/1.1\r\nHost: example.com:8080\r\n" + strings.ReplaceAll(headers, "\n", "\r\n") + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(event)) + event
	if out, notes, code := c.run(event, append(vector, "--request", "--url", "http://example.com:8080/hooks?a=1")...); code != 0 || out != whole {
		t.Errorf("request: exit code %d, printed %q and %q", code, out, notes)
	}

	for _, tt := range []struct {
		stdin string
		code  int
		want  string
		args  []string
	}{
		{"", 2, "there must be one argument, the provider", []string{"sign"}},
		{"", 2, "there is no secret: give it with --secret-file or --secret-env", []string{"sign", "github"}},
		{"x", 2, "the secret and the body cannot both come from stdin", []string{"sign", "github", "--secret-file", "-"}},
		{"", 1, "--secret-file -: it is empty", []string{"sign", "github", "--secret-file", "-", "--data-file", body}},
		{"", 1, "--secret-env NOT_SET: the variable is not set, or empty", []string{"sign", "github", "--secret-env", "NOT_SET"}},
		{"", 2, `provider "nobody" is unknown`, []string{"sign", "nobody", "--secret-file", github}},
		{"", 2, "url is not set, and provider trello signs it", []string{"sign", "trello", "--secret-file", github}},
		{"", 2, "--curl and --send cannot be done at once", []string{"sign", "github", "--secret-file", github, "--curl", "--send", "http://localhost"}},
		{"", 2, "--json does not go with --request", []string{"sign", "github", "--secret-file", github, "--request", "--json"}},
		{"", 2, "--curl needs --data-file", []string{"sign", "github", "--secret-file", github, "--curl"}},
		{"", 2, "--timestamp \"soon\" is no time", []string{"sign", "github", "--secret-file", github, "--timestamp", "soon"}},
		{"", 2, "--header \"x\" is no header", []string{"sign", "github", "--secret-file", github, "--header", "x"}},
		{"", 1, "it could not be sent: ", []string{"sign", "github", "--secret-file", github, "--send", "http://" + freeAddress(t)}},
		{"", 2, "--bytes is 8: use 16 to 64", []string{"secret", "--bytes", "8"}},
		{"", 2, "--bytes is set, and a key of ed25519 has a length of its own", []string{"secret", "--provider", "ed25519", "--bytes", "64"}},
		{"", 2, "--public is set, and a secret of raw has no public key", []string{"secret", "--provider", "raw", "--public", "x"}},
		{"", 2, "secrets of adyen are made by the provider", []string{"secret", "--provider", "adyen"}},
		{"", 2, "--provider nobody is unknown", []string{"secret", "--provider", "nobody"}},
		{"", 1, "--public " + public + ": the file is there already: remove it", []string{"secret", "--provider", "ed25519", "--public", public}},
	} {
		out, notes, code := c.run(tt.stdin, append([]string{"webhooks"}, tt.args...)...)
		if code != tt.code || out != "" || !strings.Contains(notes, "Error: ") || !strings.Contains(notes, tt.want) {
			t.Errorf("%v: exit code %d, want %d with %q, printed %q and %q", tt.args, code, tt.code, tt.want, out, notes)
		}
	}
}

// TestSignCommandForCurl guards that the printed command is one that a shell
// runs, whatever is in the names, and that curl sends what was signed, once: to
// it, brackets and braces in a URL stand for several.
func TestSignCommandForCurl(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed: this test runs a command of it")
	}
	app := newSink(t, "")
	c := newCaddy(t)
	file := filepath.Join(c.home, "it's a body.json")
	for name, content := range map[string]string{file: nastyData, filepath.Join(c.home, "secret"): githubSecret} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, notes, code := c.run("", "webhooks", "sign", "github", "--secret-file", "secret", "--data-file", file, "--curl", "--url", app.URL+"/in?a='$(id)&b={c,d}[1-2]", "--header", "X-Quoted: it's $HOME")
	if code != 0 {
		t.Fatalf("exit code %d, printed %q", code, notes)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if said, err := exec.CommandContext(ctx, "sh", "-c", out).CombinedOutput(); err != nil {
		t.Fatalf("%s\n%v: %s", out, err, said)
	}
	all := app.deliveries()
	if len(all) != 1 || string(all[0].bytes()) != nastyData || all[0].Headers.Get("X-Quoted") != "it's $HOME" ||
		all[0].Headers.Get("X-Hub-Signature-256") != "sha256="+hexHMAC(githubSecret, nastyData) {
		t.Errorf("what has arrived is %+v", all)
	}
}

// TestSignCommandShowsAnswers guards that nothing in an answer drives the terminal,
// its status line included, whose words are the server's.
func TestSignCommandShowsAnswers(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if req, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				_, _ = io.Copy(io.Discard, req.Body)
				_, _ = io.WriteString(conn, "HTTP/1.1 200 \x1b[31mred\r\nConnection: close\r\n\r\n\x1b[2J\u202e\tnext\nline")
			}
			_ = conn.Close()
		}
	}()
	c := newCaddy(t)
	c.env = []string{"SECRET=" + githubSecret}
	sign := []string{"webhooks", "sign", "github", "--secret-env", "SECRET", "--send", "http://" + listener.Addr().String()}
	out, notes, code := c.run("{}", sign...)
	if want := "200 \\x1b[31mred\n\\x1b[2J\\u202e\tnext\nline\n"; code != 0 || out != want {
		t.Errorf("exit code %d, printed %q and %q, want %q", code, out, notes, want)
	}
	out, notes, code = c.run("{}", append(sign, "--json")...)
	if code != 0 || strings.ContainsAny(out, "\x1b\u202e") || !strings.Contains(out, `\u202e`) {
		t.Errorf("exit code %d, printed %q and %q", code, out, notes)
	}
}
