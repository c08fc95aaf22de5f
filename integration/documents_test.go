package integration

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	caddymain "github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func init() { caddymain.RegisterModule(new(execEvents)) }

// execEvents stands for github.com/mholt/caddy-events-exec, which the README
// shows but nobody needs for the tests.
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

// TestDocumentedCaddyfilesAdapt adapts every Caddyfile that the documents show,
// and wants it formatted as `caddy fmt` does.
func TestDocumentedCaddyfilesAdapt(t *testing.T) {
	documents, err := filepath.Glob(filepath.Join("..", "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := 0
	for _, document := range append(documents, filepath.Join("..", "README.md")) {
		for i, block := range caddyfileBlocks(t, document) {
			blocks++
			t.Run(filepath.Base(document)+" "+strconv.Itoa(i+1), func(t *testing.T) {
				if out := adapt(t, block); !strings.HasPrefix(out, "{") {
					t.Errorf("it does not adapt: %s\n%s", out, block)
				}
			})
		}
	}
	if blocks == 0 {
		t.Error("no Caddyfile was found")
	}
}

// caddyfileBlocks are the Caddyfiles in a document, in order.
func caddyfileBlocks(t *testing.T, document string) (blocks []string) {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	rest := string(text)
	for {
		_, after, found := strings.Cut(rest, "```caddyfile\n")
		if !found {
			return blocks
		}
		block, next, closed := strings.Cut(after, "```")
		if !closed {
			t.Fatalf("%s: a block does not end", document)
		}
		blocks, rest = append(blocks, block), next
	}
}
