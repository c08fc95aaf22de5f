package receiver

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the document that TestProvidersDocument compares")

// TestProvidersDocument keeps docs/providers.md in step with the table. To write
// it anew: go test ./receiver -run TestProvidersDocument -update
func TestProvidersDocument(t *testing.T) {
	path := filepath.Join("..", "docs", "providers.md")
	want := providersDocument()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("docs/providers.md is not in step with the table; write it anew with -update (-want +got):\n%s", diff)
	}
}

// providersDocument is the document, with one line for each provider.
func providersDocument() string {
	var b strings.Builder
	b.WriteString(`# Providers

<!-- Written by: go test ./receiver -run TestProvidersDocument -update -->

These are the names that ` + "`webhook_receive`" + ` knows. Each stands for a set of rules: where the signature is, what it covers, how the secret is written, and where the event's ID and type are.

- **Age** says whether the signature covers the time of sending. If it does not, ` + "`tolerance`" + ` does not apply, and a captured request is refused only as a duplicate.
- **Duplicates** says what two requests have in common to be the same event: the event's ID, where the signature covers it, or else the signed content. An ID that anyone could change is never relied on.
- *Experimental* rules could not be checked against the provider's own software, a published example, or its documentation.

`)
	list := Providers()
	fmt.Fprintf(&b, "There are %d of them, and for all others there is `%s`.\n\n", len(list)-1, customName)
	fmt.Fprintf(&b, "`webhook_sign` knows them too, except for those whose signature is inside the body or that sign by rules of their own: %s.\n\n", strings.Join(oneWayProviders(), ", "))
	b.WriteString("| Name | Provider | What it accepts | Age | Duplicates |\n|---|---|---|---|---|\n")
	for _, p := range list {
		title := p.Title
		if p.Source != "" {
			title = fmt.Sprintf("[%s](%s)", p.Title, p.Source)
		}
		description := p.Description
		if p.Experimental {
			description += " *Experimental.*"
		}
		for _, parameter := range p.Parameters {
			description += fmt.Sprintf("<br>Parameter `%s`: %s", parameter.Name, parameter.Description)
		}
		age, duplicates := "–", "content"
		if p.Timestamped {
			age = "checked"
		}
		switch {
		case p.Name == customName:
			title, age, duplicates = "–", "by template", "by template"
		case p.Alike:
			duplicates = "not told"
		case p.IDSigned:
			duplicates = "ID"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", p.Name, title, strings.ReplaceAll(description, "|", "\\|"), age, duplicates)
	}
	return b.String()
}

// oneWayProviders are those that nobody can sign for, for the document.
func oneWayProviders() (names []string) {
	for _, p := range Providers() {
		if p.Name == customName {
			continue
		}
		s, err := Config{Provider: p.Name}.Signing()
		if err != nil || !slices.ContainsFunc(s.Template.Signature, func(at Place) bool { return at.Header != "" }) {
			names = append(names, "`"+p.Name+"`")
		}
	}
	return names
}
