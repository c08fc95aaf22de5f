package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	caddymain "github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func init() { caddymain.RegisterModule(new(execEvents)) }

// execEvents stands for github.com/mholt/caddy-events-exec, which the documents
// show but nobody needs for the tests.
type execEvents struct {
	Args []string `json:"args,omitempty"`
}

func (*execEvents) CaddyModule() caddymain.ModuleInfo {
	return caddymain.ModuleInfo{ID: "events.handlers.exec", New: func() caddymain.Module { return new(execEvents) }}
}

func (e *execEvents) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	e.Args = d.RemainingArgs()
	return nil
}

// documents are the documents for users.
func documents(t *testing.T) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join("..", "docs", "*.md"))
	if err != nil || len(list) == 0 {
		t.Fatalf("no documents found: %v", err)
	}
	for _, name := range []string{"README.md", "SECURITY.md", "CHANGELOG.md", "xcaddy.md"} {
		list = append(list, filepath.Join("..", name))
	}
	return list
}

// docBlock is a fenced block of a document. What follows the language on the
// fence's line, which readers do not see, says what is done with the block.
type docBlock struct {
	document string
	line     int
	language string
	words    []string
	text     string
}

func (b docBlock) String() string { return fmt.Sprintf("%s:%d", filepath.Base(b.document), b.line) }

// has tells whether the block has a word.
func (b docBlock) has(word string) bool { return slices.Contains(b.words, word) }

// value is what follows a key and "=" among the words.
func (b docBlock) value(key string) string {
	for _, w := range b.words {
		if value, ok := strings.CutPrefix(w, key+"="); ok {
			return value
		}
	}
	return ""
}

// blocksOf are the fenced blocks of a document, in order.
func blocksOf(t *testing.T, document string) (blocks []docBlock) {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	var open *docBlock
	for i, line := range strings.Split(string(text), "\n") {
		fence, isFence := strings.CutPrefix(line, "```")
		switch {
		case !isFence && open != nil:
			open.text += line + "\n"
		case !isFence:
			if strings.HasPrefix(strings.TrimSpace(line), "```") {
				t.Fatalf("%s:%d: an indented fence: put it at the start of the line", document, i+1)
			}
		case open != nil:
			blocks, open = append(blocks, *open), nil
		default:
			words := strings.Fields(fence)
			open = &docBlock{document: document, line: i + 1}
			if len(words) > 0 {
				open.language, open.words = words[0], words[1:]
			}
		}
	}
	if open != nil {
		t.Fatalf("%s: the block does not end", open)
	}
	return blocks
}

// unrun says why a shell block is not run, by the word that stands on its
// fence. Its syntax is checked all the same.
var unrun = map[string]string{
	"network": "it needs a registry or another machine",
	"root":    "it changes the machine",
	"yours":   "it names what is the reader's",
	"slow":    "it takes minutes",
}

// plain says what a block of plain text may be.
var plain = map[string]string{
	"picture": "a drawing",
	"syntax":  "the form of a directive; TestDocumentedWords compares its words",
	"served":  "what the server prints, which the walk looks for",
	"message": "an error message or a text to be typed, which another test has",
}

// TestDocuments does with every fenced block of the documents what its reader
// would: loads it, runs it, compiles it. A block that it does not know what to
// do with fails.
func TestDocuments(t *testing.T) {
	for _, document := range documents(t) {
		blocks := blocksOf(t, document)
		if len(blocks) == 0 {
			continue
		}
		t.Run(filepath.Base(document), func(t *testing.T) {
			t.Parallel()
			var walk []docBlock
			for _, b := range blocks {
				if walks(b) {
					walk = append(walk, b)
				}
				t.Run(fmt.Sprintf("%d %s", b.line, b.language), func(t *testing.T) { checkBlock(t, b) })
			}
			if slices.ContainsFunc(blocks, func(b docBlock) bool { return b.language == "sql" }) {
				t.Run("sql", func(t *testing.T) { runSQL(t, blocks) })
			}
			if len(walk) > 0 {
				t.Run("walk", func(t *testing.T) { walkThrough(t, walk) })
			}
		})
	}
}

// walks tells whether a block is part of the walk through its document: the
// commands that the reader runs one after the other, and the files he writes.
func walks(b docBlock) bool {
	switch b.language {
	case "sh", "console":
		return !slices.ContainsFunc(b.words, func(w string) bool { return unrun[w] != "" })
	case "text":
		return b.has("served")
	}
	return b.value("file") != ""
}

// checkBlock checks a block by itself.
func checkBlock(t *testing.T, b docBlock) {
	switch b.language {
	case "caddyfile":
		checkCaddyfile(t, b)
	case "sh":
		checkShell(t, b)
	case "console":
		if !strings.HasPrefix(b.text, "$ ") {
			t.Errorf("%s does not begin with a command after \"$ \"", b)
		}
	case "json":
		checkJSON(t, b)
	case "go", "js", "python", "php", "ruby", "java":
		checkCode(t, b)
	case "sql":
		// They are run together.
	case "promql", "yaml":
		checkPrometheus(t, b)
	case "dockerfile":
		checkDockerfile(t, b)
	case "systemd":
		checkUnit(t, b)
	case "text":
		if !slices.ContainsFunc(b.words, func(w string) bool { return plain[w] != "" }) {
			t.Errorf("%s: plain text needs a word on its fence that says what it is: one of %v", b, plain)
		}
	default:
		t.Errorf("%s: nothing is known to do with a block in %q", b, b.language)
	}
}

// inCaddyfile are the environment variables and files that a Caddyfile names.
var (
	envInCaddyfile  = regexp.MustCompile(`\{(?:env\.|\$)([A-Za-z0-9_]+)`)
	fileInCaddyfile = regexp.MustCompile(`\{file\.(/[^}]+)\}`)
)

// sampleValue is a value for an environment variable or a file of a Caddyfile.
func sampleValue(name string) string {
	switch name := strings.ToLower(name); {
	case strings.Contains(name, "key"):
		return "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	case strings.Contains(name, "signing"):
		return "whsk_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	case strings.HasSuffix(name, "_url"):
		return "postgres://localhost/webhooks"
	}
	return vectorSecret
}

// checkCaddyfile adapts a Caddyfile, wants it formatted as `caddy fmt` does,
// and has Caddy validate it, with the environment and the files that it names.
func checkCaddyfile(t *testing.T, b docBlock) {
	if out := adapt(t, b.text); !strings.HasPrefix(out, "{") {
		t.Fatalf("%s does not adapt: %s\n%s", b, out, b.text)
	}
	if b.has("exec") {
		return // it needs a module that is not compiled in
	}
	c := newCaddy(t)
	if b.has("postgres") {
		c.build = postgresBinary
	}
	text := b.text
	for _, m := range envInCaddyfile.FindAllStringSubmatch(text, -1) {
		c.env = append(c.env, m[1]+"="+sampleValue(m[1]))
	}
	for _, m := range fileInCaddyfile.FindAllStringSubmatch(text, -1) {
		path := filepath.Join(c.home, m[1])
		writeFile(t, path, sampleValue(filepath.Base(m[1])))
		text = strings.ReplaceAll(text, m[1], path)
	}
	out, err := c.command("adapt", "--validate", "--config", c.write(text), "--adapter", "caddyfile").CombinedOutput()
	if err != nil {
		t.Errorf("%s is not valid: %v\n%s\n%s", b, err, out, text)
	}
}

// checkJSON parses JSON, and has Caddy validate it if it is a configuration.
func checkJSON(t *testing.T, b docBlock) {
	var members map[string]json.RawMessage
	if !json.Valid([]byte(b.text)) {
		t.Fatalf("%s is not JSON:\n%s", b, b.text)
	}
	if json.Unmarshal([]byte(b.text), &members) != nil || members["apps"] == nil {
		return
	}
	c := newCaddy(t)
	for _, m := range envInCaddyfile.FindAllStringSubmatch(b.text, -1) {
		c.env = append(c.env, m[1]+"="+sampleValue(m[1]))
	}
	path := filepath.Join(c.home, "caddy.json")
	writeFile(t, path, b.text)
	if out, err := c.command("validate", "--config", path).CombinedOutput(); err != nil {
		t.Errorf("%s is not valid: %v\n%s", b, err, out)
	}
}

var link = regexp.MustCompile(`\]\(([^)#\s]*)(#[^)\s]*)?\)`)

// TestDocumentedLinks follows the links within the documents.
func TestDocumentedLinks(t *testing.T) {
	for _, document := range documents(t) {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			path, anchor := m[1], strings.TrimPrefix(m[2], "#")
			if strings.Contains(path, "://") || strings.HasPrefix(path, "mailto:") {
				continue
			}
			target := document
			if path != "" {
				target = filepath.Join(filepath.Dir(document), path)
			}
			content, err := os.ReadFile(target)
			if err != nil {
				if info, dir := os.Stat(target); dir == nil && info.IsDir() {
					continue
				}
				t.Errorf("%s links to %s: %v", filepath.Base(document), path, err)
				continue
			}
			if anchor != "" && !slices.Contains(anchors(string(content)), anchor) {
				t.Errorf("%s links to %s#%s, which is no heading there", filepath.Base(document), path, anchor)
			}
		}
	}
}

// notInAnchor are the characters that GitHub leaves out of a heading's anchor.
var notInAnchor = regexp.MustCompile(`[^\p{L}\p{N}\- _]`)

// anchors are what the headings of a document can be linked to by.
func anchors(text string) (list []string) {
	for line := range strings.Lines(text) {
		if heading := strings.TrimLeft(line, "#"); heading != line && strings.HasPrefix(heading, " ") {
			heading = notInAnchor.ReplaceAllString(strings.ToLower(strings.TrimSpace(heading)), "")
			list = append(list, strings.ReplaceAll(heading, " ", "-"))
		}
	}
	return list
}
