package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// markers enclose what the command writes in a document: the name of a row, or
// that and -profile, or machine, or peers.
var markers = regexp.MustCompile(`(?s)(<!-- bench:begin ([a-z-]+) -->\n).*?(<!-- bench:end -->)`)

// fill puts what was measured between the markers of a document. What was not
// measured stays as it is. pictures is where the pictures are, as seen from the
// document; they are left out if it is empty.
func (r *Report) fill(document, pictures string) (string, error) {
	if !markers.MatchString(document) {
		return "", fmt.Errorf("the document has no place for results: enclose it in <!-- bench:begin %s --> and <!-- bench:end -->", rowNames()[0])
	}
	return markers.ReplaceAllStringFunc(document, func(all string) string {
		parts := markers.FindStringSubmatch(all)
		text := r.section(parts[2], pictures)
		if text == "" {
			return all
		}
		return parts[1] + text + parts[3]
	}), nil
}

// section is what stands between the markers of a name, or empty if it was not
// measured.
func (r *Report) section(name, pictures string) string {
	switch name {
	case "machine":
		return fmt.Sprintf("%s. %s\n", r.Machine, r.Rounds)
	case "peers":
		return peersTable()
	}
	row, profile := strings.CutSuffix(name, "-profile")
	for _, result := range r.Results {
		switch {
		case result.Row != row:
		case profile:
			return result.profileMarkdown()
		default:
			return result.markdown(pictures)
		}
	}
	return ""
}

// markdown is the result for a document.
func (r *Result) markdown(pictures string) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s\n\n%s", r.Says, r.markdownTable())
	if pictures != "" {
		for _, p := range r.plots() {
			fmt.Fprintf(&text, "\n![%s](%s/%s)\n", p.alt, pictures, p.name)
		}
	}
	for _, fault := range r.Faults {
		fmt.Fprintf(&text, "\n**Fault: %s.**\n", fault)
	}
	return text.String()
}

// profileMarkdown is where the time went, for a document; empty without profiles.
func (r *Result) profileMarkdown() string {
	if grid := r.profileGrid(); grid != nil {
		return markdown(grid)
	}
	return ""
}

// allMarkdown is the whole report as Markdown.
func (r *Report) allMarkdown() string {
	var text strings.Builder
	text.WriteString(r.section("machine", ""))
	for _, result := range r.Results {
		fmt.Fprintf(&text, "\n## %s\n\n%s", result.Title, result.markdown(""))
		if profile := result.profileMarkdown(); profile != "" {
			text.WriteString("\n" + profile)
		}
	}
	return text.String()
}

// writeDocument fills in a document, with pictures from a folder.
func (r *Report) writeDocument(path, pictures string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	relative := ""
	if pictures != "" {
		from, err := filepath.Abs(filepath.Dir(path))
		if err != nil {
			return err
		}
		to, err := filepath.Abs(pictures)
		if err != nil {
			return err
		}
		if relative, err = filepath.Rel(from, to); err != nil {
			return err
		}
	}
	filled, err := r.fill(string(text), filepath.ToSlash(relative))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, []byte(filled), 0o644) //nolint:gosec // documents are for everybody
}
