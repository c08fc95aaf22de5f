package settings_test

import (
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// browse asks for a page as a browser does, and checks what holds for every
// page.
func (r *rig) browse(path string) *answer {
	r.t.Helper()
	return r.page(send(r.t, r.Handler, "GET", path, "", "Accept", "text/html,application/xhtml+xml", "Sec-Fetch-Site", "same-origin"))
}

// post sends a form as a browser does.
func (r *rig) post(path string, values url.Values) *answer {
	r.t.Helper()
	a := postForm(r.t, r.Handler, path, values, "Accept", "text/html", "Sec-Fetch-Site", "same-origin")
	if a.status == http.StatusSeeOther {
		return a
	}
	return r.page(a)
}

func postForm(t testing.TB, h http.Handler, path string, values url.Values, headers ...string) *answer {
	t.Helper()
	return send(t, h, "POST", path, values.Encode(), append([]string{"Content-Type", "application/x-www-form-urlencoded"}, headers...)...)
}

// follow goes where an answer to a form leads to.
func (r *rig) follow(from string, a *answer) *answer {
	r.t.Helper()
	a.want(http.StatusSeeOther)
	return r.browse(resolve(r.t, from, a.header.Get("Location")))
}

// resolve is where a link on a page leads to.
func resolve(t testing.TB, from, link string) string {
	t.Helper()
	base, err := url.Parse("http://example.com" + from)
	if err != nil {
		t.Fatal(err)
	}
	to, err := base.Parse(link)
	if err != nil {
		t.Fatalf("the link %q: %v", link, err)
	}
	to.Fragment = ""
	return strings.TrimPrefix(to.String(), "http://example.com")
}

const wantPolicy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

var (
	// inline matches what the policy would stop, in a tag without the values of
	// its attributes.
	inline = regexp.MustCompile(`(?i)^<script>|^<style|\sstyle=|\son[a-z]+=|^<(iframe|object|embed|base)`)

	// botched matches what is written of a value that is not safe where it
	// stands, or is none.
	botched = regexp.MustCompile(`(?i)="\s*javascript:|ZgotmplZ|<no value>|%!`)

	pageTags     = regexp.MustCompile(`<[a-zA-Z][^>]*>`)
	quotedValues = regexp.MustCompile(`"[^"]*"`)
	textAreas    = regexp.MustCompile(`(?s)<textarea.*?</textarea>`)
)

// maxPage is how large a page may be, in bytes.
const maxPage = 50_000

// page checks what holds for every page.
func (r *rig) page(a *answer) *answer {
	r.t.Helper()
	if got := a.header.Get("Content-Type"); got != "text/html; charset=utf-8" {
		r.t.Fatalf("it is no page but %s: %d %s", got, a.status, a.body)
	}
	if got := a.header.Get("Content-Security-Policy"); got != wantPolicy {
		r.t.Errorf("the policy is %q", got)
	}
	if a.header.Get("X-Frame-Options") != "DENY" || a.header.Get("Referrer-Policy") != "same-origin" {
		r.t.Errorf("the headers are %v", a.header)
	}
	for _, tag := range pageTags.FindAllString(a.body, -1) {
		if found := inline.FindString(quotedValues.ReplaceAllString(tag, `""`)); found != "" {
			r.t.Errorf("there is %q in the page: %s", found, tag)
		}
	}
	if found := botched.FindString(a.body); found != "" {
		r.t.Errorf("there is %q in the page: %s", found, a.main())
	}
	if len(a.body) > maxPage {
		r.t.Errorf("the page has %d bytes, want at most %d", len(a.body), maxPage)
	}
	for _, want := range []string{`<html lang="en">`, `<main id="main"`, `class="skip"`, "<h1", "</html>"} {
		if !strings.Contains(a.body, want) {
			r.t.Errorf("there is no %s in the page: %s", want, a.body)
		}
	}
	if n := strings.Count(a.body, "<h1"); n != 1 {
		r.t.Errorf("the page has %d main headings", n)
	}
	for _, id := range duplicates(pageIDs.FindAllStringSubmatch(a.body, -1)) {
		r.t.Errorf("the ID %q is twice in the page", id)
	}
	for _, match := range pageLabels.FindAllStringSubmatch(a.body, -1) {
		if !strings.Contains(a.body, ` id="`+match[1]+`"`) {
			r.t.Errorf("a label is for %q, which is not in the page", match[1])
		}
	}
	return a
}

var (
	pageIDs    = regexp.MustCompile(`\sid="([^"]*)"`)
	pageLabels = regexp.MustCompile(`<label for="([^"]*)"`)
	pageLinks  = regexp.MustCompile(`\s(?:href|src|action|data-check|data-stream)="([^"#]*)`)
)

func duplicates(matches [][]string) (twice []string) {
	seen := make(map[string]bool)
	for _, match := range matches {
		if seen[match[1]] {
			twice = append(twice, match[1])
		}
		seen[match[1]] = true
	}
	return twice
}

// linksOf are the links of a page, as they are written.
func linksOf(page string) (list []string) {
	for _, match := range pageLinks.FindAllStringSubmatch(page, -1) {
		list = append(list, html.UnescapeString(match[1]))
	}
	return list
}

// main is what is particular to a page.
func (a *answer) main() string {
	_, main, _ := strings.Cut(a.body, "<main")
	return main
}

// has checks that texts are in a page.
func (a *answer) has(texts ...string) *answer {
	a.t.Helper()
	for _, text := range texts {
		if !strings.Contains(a.body, text) && !strings.Contains(html.UnescapeString(a.body), text) {
			a.t.Errorf("there is no %q in the page: %s", text, a.main())
		}
	}
	return a
}

// lacks checks that texts are not in a page.
func (a *answer) lacks(texts ...string) *answer {
	a.t.Helper()
	for _, text := range texts {
		if strings.Contains(a.body, text) || strings.Contains(html.UnescapeString(a.body), text) {
			a.t.Errorf("there is %q in the page: %s", text, a.main())
		}
	}
	return a
}

// between is what stands between two texts in a page.
func (a *answer) between(before, after string) string {
	a.t.Helper()
	_, rest, found := strings.Cut(a.body, before)
	text, _, closed := strings.Cut(rest, after)
	if !found || !closed {
		a.t.Fatalf("there is nothing between %q and %q: %s", before, after, a.body)
	}
	return html.UnescapeString(text)
}

// webhookForm is a form that makes an endpoint at a path of the site.
func (r *rig) webhookForm(path string, more ...string) url.Values {
	v := url.Values{"url": {r.site.URL + path}, "events": {"conversation.*"}, "signing": {"hmac"}}
	for i := 0; i < len(more); i += 2 {
		v.Set(more[i], more[i+1])
	}
	return v
}

// rawForm posts a body as a form and returns the status.
func rawForm(h http.Handler, path, contentType, body string) int {
	request := httptest.NewRequest("POST", path, strings.NewReader(body))
	request.Header.Set("Content-Type", contentType)
	request.Header.Set("Sec-Fetch-Site", "same-origin")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, request)
	return w.Code
}

// hasText tells whether a text is in a page.
func hasText(a *answer, text string) bool { return strings.Contains(a.body, text) }
