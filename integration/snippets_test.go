package integration

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// vector is the test vector of the documentation.
const (
	vectorSecret    = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	vectorID        = "evt_0192f0c1a2b37c4d8e5f60718293a4b5"
	vectorTime      = 1709634600
	vectorBody      = `{"event":"conversation.created","timestamp":"2024-03-05T10:30:00Z","data":{"id":"conv_123","status":"open","inbox_id":1,"contact_id":456},"signature":"sha256=a402d95ddc0a0141cbc0b1f3b759444d2da52b6f41d53678c2227af07e6a30ad"}`
	vectorSignature = "v1,lzeWAiyRfH2KxX8DXuSUfMd0jhG7k2flAAwnTUfduFM="
)

// snippetsDir has what is shown to whoever receives webhooks.
var snippetsDir = filepath.Join("..", "sender", "settings", "snippets")

// snippetLanguages are the snippets, with the file that each is put into beside
// its driver, and how to run that.
var snippetLanguages = []struct {
	snippet, file string
	drivers       []string // in the folder snippets
	build, run    []string
}{
	{"verify.go", "hooks/verify.go", []string{"go/drive.go", "go/go.mod"}, []string{"go", "build", "-o", "drive", "."}, []string{"./drive"}},
	{"verify.js", "verify.mjs", []string{"drive.mjs"}, nil, []string{"node", "drive.mjs"}},
	{"verify.py", "verify.py", []string{"drive.py"}, nil, []string{"python3", "drive.py"}},
	{"verify.php", "verify.php", []string{"drive.php"}, nil, []string{"php", "drive.php"}},
	{"verify.rb", "verify.rb", []string{"drive.rb"}, nil, []string{"ruby", "-w", "drive.rb"}},
	{"verify.java", "Webhook.java", []string{"Drive.java"}, []string{"javac", "-Xlint:all", "-Werror", "Drive.java", "Webhook.java"}, []string{"java", "-XX:TieredStopAtLevel=1", "Drive"}},
	{"verify.sh", "verify.sh", []string{"drive.sh"}, nil, []string{"sh", "-u", "drive.sh"}},
}

// snippetRequest is a request that a snippet is asked about.
type snippetRequest struct {
	what                      string
	id, timestamp, signatures string
	now                       int64
	body                      string
	want                      string
}

// snippetRequests are authentic requests, and what nobody may take for one.
func snippetRequests(t *testing.T) (requests []snippetRequest) {
	t.Helper()
	secret, err := webhook.ParseSecret(vectorSecret)
	if err != nil {
		t.Fatal(err)
	}
	other, err := webhook.NewSecret([]byte("another secret of thirty-two byte"))
	if err != nil {
		t.Fatal(err)
	}
	sign := func(id, body string, signers ...webhook.Signer) string {
		return webhook.Sign(signers, id, time.Unix(vectorTime, 0), []byte(body))
	}
	good := snippetRequest{"the test vector", vectorID, fmt.Sprint(vectorTime), vectorSignature, vectorTime, vectorBody, "yes"}
	add := func(what, want string, change func(r *snippetRequest)) {
		r := good
		r.what, r.want = what, want
		change(&r)
		requests = append(requests, r)
	}
	// The Ed25519 signature of any key: snippets must pass over it.
	seed := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, ed25519.SeedSize))
	signingKey, err := webhook.ParseSigningKey("whsk_" + seed)
	if err != nil {
		t.Fatal(err)
	}
	binary := "\x00\xff line\r\n\x80\n"

	add("the test vector", "yes", func(*snippetRequest) {})
	add("five minutes old", "yes", func(r *snippetRequest) { r.now += 300 })
	add("five minutes early", "yes", func(r *snippetRequest) { r.now -= 300 })
	add("its signature second", "yes", func(r *snippetRequest) { r.signatures = sign(r.id, r.body, other, secret) })
	add("beside Ed25519", "yes", func(r *snippetRequest) { r.signatures = sign(r.id, r.body, signingKey, secret) })
	add("no text", "yes", func(r *snippetRequest) { r.body, r.signatures = binary, sign(r.id, binary, secret) })
	add("an empty body", "yes", func(r *snippetRequest) { r.body, r.signatures = "", sign(r.id, "", secret) })
	add("another body", "no", func(r *snippetRequest) { r.body = strings.Replace(r.body, "open", "shut", 1) })
	add("a byte more", "no", func(r *snippetRequest) { r.body += "\n" })
	add("a byte less", "no", func(r *snippetRequest) { r.body = r.body[:len(r.body)-1] })
	add("another ID", "no", func(r *snippetRequest) { r.id += "0" })
	add("another time", "no", func(r *snippetRequest) { r.timestamp = fmt.Sprint(vectorTime + 1) })
	add("too old", "no", func(r *snippetRequest) { r.now += 301 })
	add("too early", "no", func(r *snippetRequest) { r.now -= 301 })
	add("of another secret", "no", func(r *snippetRequest) { r.signatures = sign(r.id, r.body, other) })
	add("only Ed25519", "no", func(r *snippetRequest) { r.signatures = sign(r.id, r.body, signingKey) })
	add("without a version", "no", func(r *snippetRequest) { r.signatures = strings.TrimPrefix(r.signatures, "v1,") })
	add("half a signature", "no", func(r *snippetRequest) { r.signatures = r.signatures[:len(r.signatures)/2] })
	add("an empty signature", "no", func(r *snippetRequest) { r.signatures = "v1," })
	add("without a signature", "no", func(r *snippetRequest) { r.signatures = "" })
	add("without an ID", "no", func(r *snippetRequest) { r.id = ""; r.signatures = sign("", r.body, secret) })
	add("without a time", "no", func(r *snippetRequest) { r.timestamp = "" })
	add("a time that is none", "no", func(r *snippetRequest) { r.timestamp = "now" })
	add("a negative time", "no", func(r *snippetRequest) { r.timestamp = "-1" })
	add("an endless time", "no", func(r *snippetRequest) { r.timestamp = strings.Repeat("9", 17) })
	return requests
}

// TestSnippetsVerify runs the code that is shown to whoever receives webhooks,
// in each language: it must take authentic requests, the test vector among
// them, and nothing else.
func TestSnippetsVerify(t *testing.T) {
	requests := snippetRequests(t)
	var lines strings.Builder
	for _, r := range requests {
		fmt.Fprintf(&lines, "%s|%s|%s|%d|%s\n", r.id, r.timestamp, r.signatures, r.now, base64.StdEncoding.EncodeToString([]byte(r.body)))
	}
	for _, l := range snippetLanguages {
		t.Run(l.snippet, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			writeFile(t, filepath.Join(dir, l.file), snippet(t, l.snippet, vectorSecret))
			for _, driver := range l.drivers {
				text, err := os.ReadFile(filepath.Join("snippets", driver))
				if err != nil {
					t.Fatal(err)
				}
				writeFile(t, filepath.Join(dir, filepath.Base(driver)), string(text))
			}
			if l.build != nil {
				runIn(t, dir, "", l.build...)
			}
			answers := strings.Split(strings.TrimSuffix(runIn(t, dir, lines.String(), l.run...), "\n"), "\n")
			if len(answers) != len(requests) {
				t.Fatalf("%d answers to %d requests:\n%s", len(answers), len(requests), strings.Join(answers, "\n"))
			}
			for i, r := range requests {
				if answers[i] != r.want {
					t.Errorf("%s: %q, not %q", r.what, answers[i], r.want)
				}
			}
		})
	}
}

// snippet is the text of a snippet with a secret in it.
func snippet(t *testing.T, name, secret string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(snippetsDir, name))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(text), "{{secret}}") != 1 {
		t.Fatalf("%s does not have {{secret}} once", name)
	}
	return strings.Replace(string(text), "{{secret}}", secret, 1)
}

// writeFile writes a file, and makes its folder.
func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// installs says what has to be installed for a program, on Debian.
var installs = map[string]string{
	"curl": "curl", "jq": "jq", "node": "nodejs", "php": "php-cli", "python3": "python3", "ruby": "ruby",
	"chromium": "chromium", "java": "default-jdk-headless", "javac": "default-jdk-headless", "openssl": "openssl", "sqlite3": "sqlite3",
	"systemd-analyze": "systemd", "promtool": "prometheus",
}

// runIn runs a command in a folder and returns what it prints. The test is
// skipped when the program is not installed; .ci/run does not bear skips.
func runIn(t *testing.T, dir, stdin string, command ...string) string {
	t.Helper()
	need(t, command[0])
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Dir = dir
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s%s", strings.Join(command, " "), err, out.String(), errs.String())
	}
	if errs.Len() > 0 {
		t.Errorf("%s complains: %s", strings.Join(command, " "), errs.String())
	}
	return out.String()
}

// need skips the test when a program that it needs is not installed.
func need(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil && !strings.Contains(program, "/") {
		t.Skipf("%s is not installed: apt-get install %s", program, installs[program])
	}
}
