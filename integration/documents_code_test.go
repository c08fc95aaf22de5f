package integration

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// snippetOf is the snippet for a language of the documents.
var snippetOf = map[string]string{
	"go": "verify.go", "js": "verify.js", "python": "verify.py", "php": "verify.php", "ruby": "verify.rb", "java": "verify.java", "sh": "verify.sh",
}

// checkCode runs a block of code, according to the words on its fence: one that
// verifies deliveries by hand is the snippet that TestSnippetsVerify runs, with
// the secret of the test vector; library verifies with a library; body verifies
// the signature in the body; anything else must be a program in Go.
func checkCode(t *testing.T, b docBlock) {
	switch {
	case b.has("snippet"):
		if want := snippet(t, snippetOf[b.language], vectorSecret); b.text != want {
			t.Errorf("%s is not the text of sender/settings/snippets/%s with the secret of the test vector", b, snippetOf[b.language])
		}
	case b.has("library"):
		verifiesWithLibrary(t, b)
	case b.has("body"):
		verifiesBody(t, b)
	case b.language == "go":
		compiles(t, b)
	default:
		t.Errorf("%s: code needs a word on its fence that says how it is run: snippet, library or body", b)
	}
}

// bodyDrivers turn code that verifies the signature in the body, as the
// function verify of a body and a key, into a program. It reads bodies in base64
// and prints yes or no for each.
var bodyDrivers = map[string]struct {
	file, before, after string
	run                 []string
}{
	"js": {"body.mjs", "import crypto from \"node:crypto\";\nimport { createInterface } from \"node:readline\";\n",
		`for await (const line of createInterface({ input: process.stdin }))
  console.log(verify(Buffer.from(line, "base64"), Buffer.from("KEY", "base64")) ? "yes" : "no");
`, []string{"node", "body.mjs"}},
	"python": {"body.py", "import base64, hashlib, hmac, sys\n",
		"for line in sys.stdin:\n    print(\"yes\" if verify(base64.b64decode(line), base64.b64decode(\"KEY\")) else \"no\")\n", []string{"python3", "body.py"}},
	"php": {"body.php", "<?php\n",
		"while (($line = fgets(STDIN)) !== false) echo verify(base64_decode($line), base64_decode('KEY')) ? 'yes' : 'no', \"\\n\";\n", []string{"php", "body.php"}},
	"ruby": {"body.rb", "require \"openssl\"\n",
		"$stdin.each_line { |line| puts verify(line.unpack1(\"m\"), \"KEY\".unpack1(\"m\")) ? \"yes\" : \"no\" }\n", []string{"ruby", "body.rb"}},
}

// verifiesBody runs code that verifies the signature in the body.
func verifiesBody(t *testing.T, b docBlock) {
	driver, known := bodyDrivers[b.language]
	if !known {
		t.Fatalf("%s: there is no driver for %s", b, b.language)
	}
	dir := t.TempDir()
	key := strings.TrimPrefix(vectorSecret, "whsec_")
	writeFile(t, filepath.Join(dir, driver.file), driver.before+b.text+strings.ReplaceAll(driver.after, "KEY", key))
	bodies := []string{
		vectorBody,
		strings.Replace(vectorBody, "open", "shut", 1),
		vectorBody + "\n",
		strings.Replace(vectorBody, "sha256=a", "sha256=b", 1),
		strings.Replace(vectorBody, `,"signature"`, `, "signature"`, 1),
		"{}", "",
	}
	var lines strings.Builder
	for _, body := range bodies {
		lines.WriteString(base64.StdEncoding.EncodeToString([]byte(body)) + "\n")
	}
	want := "yes\n" + strings.Repeat("no\n", len(bodies)-1)
	if got := runIn(t, dir, lines.String(), driver.run...); got != want {
		t.Errorf("%s: the test vector and what has been altered are judged\n%snot\n%s", b, got, want)
	}
}

// verifiesWithLibrary runs code that verifies with an official library of
// Standard Webhooks, on a delivery of this moment and on altered ones. The
// libraries are those that integration/peers and integration/sdks have.
func verifiesWithLibrary(t *testing.T, b docBlock) {
	dir := t.TempDir()
	now := time.Now()
	secret, err := webhook.ParseSecret(vectorSecret)
	if err != nil {
		t.Fatal(err)
	}
	signature := webhook.Sign([]webhook.Signer{secret}, vectorID, now, []byte(vectorBody))
	line := func(id, body string, at time.Time) string {
		return fmt.Sprintf("%s|%d|%s|%d|%s\n", id, at.Unix(), signature, now.Unix(), base64.StdEncoding.EncodeToString([]byte(body)))
	}
	lines := line(vectorID, vectorBody, now) + line(vectorID, vectorBody+" ", now) + line(vectorID+"0", vectorBody, now) + line(vectorID, vectorBody, now.Add(time.Second))

	var got string
	switch b.language {
	case "js":
		modules, err := filepath.Abs(filepath.Join("peers", "node_modules"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(modules); err != nil {
			t.Skip("the libraries are not installed: npm ci in integration/peers")
		}
		if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(dir, "verify.mjs"), b.text)
		writeFile(t, filepath.Join(dir, "drive.mjs"), readFile(t, "snippets/drive.mjs"))
		got = runIn(t, dir, lines, "node", "drive.mjs")
	case "go":
		for _, name := range []string{"go.mod", "go.sum"} {
			writeFile(t, filepath.Join(dir, name), regexp.MustCompile(`(?m)^module .*`).ReplaceAllString(readFile(t, "sdks/"+name), "module drive"))
		}
		writeFile(t, filepath.Join(dir, "hooks", "verify.go"), b.text)
		writeFile(t, filepath.Join(dir, "main.go"), readFile(t, "snippets/go/drive.go"))
		runIn(t, dir, "", "go", "build", "-mod=mod", "-o", "drive", ".")
		got = runIn(t, dir, lines, "./drive")
	default:
		t.Fatalf("%s: there is no driver for a library in %s", b, b.language)
	}
	if want := "yes\nno\nno\nno\n"; got != want {
		t.Errorf("%s: a delivery and what has been altered are judged\n%snot\n%s", b, got, want)
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.FromSlash(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// compiles has Go compile and vet a file that uses this module.
func compiles(t *testing.T, b docBlock) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "main.go"), b.text)
	writeFile(t, filepath.Join(dir, "go.sum"), readFile(t, "../go.sum"))
	writeFile(t, filepath.Join(dir, "go.mod"), strings.Replace(readFile(t, "../go.mod"), "module github.com/manysends/caddy-webhooks", "module example", 1)+
		"\nrequire github.com/manysends/caddy-webhooks v0.0.0\n\nreplace github.com/manysends/caddy-webhooks => "+root+"\n")
	runIn(t, dir, "", "go", "vet", "-mod=mod", ".")
	if out := runIn(t, dir, "", "gofmt", "-l", "."); out != "" {
		t.Errorf("%s is not formatted as gofmt does", b)
	}
}

// dockerInstructions are those that a Dockerfile has.
var dockerInstructions = []string{"FROM", "RUN", "COPY", "ADD", "ENV", "ARG", "EXPOSE", "VOLUME", "USER", "WORKDIR", "ENTRYPOINT", "CMD", "LABEL", "HEALTHCHECK", "STOPSIGNAL"}

// caddyVersion is the version of Caddy in go.mod.
func caddyVersion(t *testing.T) string {
	t.Helper()
	m := regexp.MustCompile(`github\.com/caddyserver/caddy/v2 v(\S+)`).FindStringSubmatch(readFile(t, "../go.mod"))
	if m == nil {
		t.Fatal("go.mod does not have Caddy")
	}
	return m[1]
}

// checkDockerfile checks the instructions of a Dockerfile, and that its images
// are pinned to the version of Caddy in go.mod.
func checkDockerfile(t *testing.T, b docBlock) {
	version := caddyVersion(t)
	text := strings.ReplaceAll(b.text, "\\\n", " ")
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if !slices.Contains(dockerInstructions, fields[0]) {
			t.Errorf("%s: %q is no instruction of a Dockerfile", b, fields[0])
		}
		if fields[0] == "FROM" && !strings.HasPrefix(fields[1], "caddy:"+version) {
			t.Errorf("%s: %s is not Caddy %s, the version in go.mod", b, fields[1], version)
		}
		if fields[0] == "RUN" {
			checkShell(t, docBlock{document: b.document, line: b.line, text: strings.TrimPrefix(strings.TrimSpace(line), "RUN ")})
		}
	}
}

// TestDocumentedVersionOfCaddy compares the versions of Caddy that the documents
// build with, with the one in go.mod, which everything is tested with.
func TestDocumentedVersionOfCaddy(t *testing.T) {
	version := caddyVersion(t)
	named := regexp.MustCompile(`(?:xcaddy build v|caddy:|Caddy v?)(2\.\d+\.\d+)`)
	for _, document := range documents(t) {
		for _, m := range named.FindAllStringSubmatch(readFile(t, document), -1) {
			if m[1] != version {
				t.Errorf("%s names Caddy %s (%q); go.mod has %s", filepath.Base(document), m[1], m[0], version)
			}
		}
	}
}

// checkUnit has systemd verify a unit.
func checkUnit(t *testing.T, b docBlock) {
	if strings.Contains(b.text, "--environ") {
		t.Errorf("%s: --environ writes the environment into the journal, with the secrets in it", b)
	}
	need(t, "systemd-analyze")
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	unit := filepath.Join(dir, "caddy.service")
	text := regexp.MustCompile(`/usr(/local)?/bin/caddy`).ReplaceAllString(b.text, path)
	writeFile(t, unit, regexp.MustCompile(`(?m)^(User|Group)=.*\n`).ReplaceAllString(text, ""))
	// It says what it does not understand, and fails only for what cannot be
	// started at all.
	out := runIn(t, dir, "", "sh", "-c", "systemd-analyze --man=no --recursive-errors=no verify ./caddy.service 2>&1 || echo failed")
	if out = strings.TrimSpace(out); out != "" {
		t.Errorf("%s: systemd says:\n%s", b, out)
	}
}

// TestDocumentedVector guards the test vector: what the documents show of it is
// what is tested.
func TestDocumentedVector(t *testing.T) {
	text := readFile(t, "../docs/verify.md")
	for _, want := range []string{vectorSecret, vectorID, fmt.Sprint(vectorTime), vectorBody, vectorSignature} {
		if !strings.Contains(text, want) {
			t.Errorf("docs/verify.md does not have %s of the test vector", want)
		}
	}
	if !json.Valid([]byte(vectorBody)) {
		t.Error("the body of the test vector is not JSON")
	}
}
