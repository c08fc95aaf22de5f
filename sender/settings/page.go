package settings

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/manysends/caddy-webhooks/internal/unread"
)

// pageRoutes are the pages and what their forms are posted to. Without
// JavaScript everything works: a form that has changed something is answered
// with 303 and leads to a page that says so.
var pageRoutes = []route{
	{method: http.MethodGet, path: "/{$}", noun: "webhook", serve: endpointsPage},
	{method: http.MethodGet, path: "/new", noun: "webhook", serve: newEndpointPage, changes: true},
	{method: http.MethodPost, path: "/new", noun: "webhook", serve: createFromForm},
	{method: http.MethodPost, path: "/check", noun: "webhook", serve: checkURL},
	{method: http.MethodGet, path: "/endpoints/{id}", noun: "webhook", serve: endpointPage},
	{method: http.MethodGet, path: "/endpoints/{id}/edit", noun: "webhook", serve: editEndpointPage, changes: true},
	{method: http.MethodPost, path: "/endpoints/{id}/edit", noun: "webhook", serve: updateFromForm},
	{method: http.MethodGet, path: "/endpoints/{id}/delete", noun: "webhook", serve: deletionPage, changes: true},
	{method: http.MethodPost, path: "/endpoints/{id}/delete", noun: "webhook", serve: deleteFromForm},
	{method: http.MethodPost, path: "/endpoints/{id}/activate", noun: "webhook", serve: activateFromForm},
	{method: http.MethodPost, path: "/endpoints/{id}/deactivate", noun: "webhook", serve: deactivateFromForm},
	{method: http.MethodGet, path: "/endpoints/{id}/test", noun: "webhook", serve: trialPage, changes: true},
	{method: http.MethodPost, path: "/endpoints/{id}/test", noun: "webhook", serve: testFromForm},
	{method: http.MethodGet, path: "/endpoints/{id}/secret", noun: "webhook", serve: secretPage, changes: true},
	{method: http.MethodPost, path: "/endpoints/{id}/secret", noun: "webhook", serve: revealFromForm, reveals: true},
	{method: http.MethodPost, path: "/endpoints/{id}/rotate", noun: "webhook", serve: rotateFromForm},
	{method: http.MethodGet, path: "/endpoints/{id}/verify", noun: "webhook", serve: verifyPage},
	{method: http.MethodPost, path: "/endpoints/{id}/verify", noun: "webhook", serve: explainFromForm},
	{method: http.MethodPost, path: "/endpoints/{id}/snippets", noun: "webhook", serve: revealSnippets, reveals: true},
	{method: http.MethodGet, path: "/deliveries", noun: "webhook", serve: deliveriesPage},
	{method: http.MethodGet, path: "/deliveries/{id}", noun: "delivery", serve: deliveryPage},
	{method: http.MethodPost, path: "/deliveries/{id}/retry", noun: "delivery", serve: retryFromForm},
	{method: http.MethodPost, path: "/deliveries/{id}/cancel", noun: "delivery", serve: cancelFromForm},
	{method: http.MethodGet, path: "/events/{id}", noun: "event", serve: eventPage},
	{method: http.MethodGet, path: "/replays", noun: "replay", serve: replaysPage},
	{method: http.MethodGet, path: "/replays/{id}", noun: "replay", serve: replayPage},
	{method: http.MethodPost, path: "/replays/{id}/cancel", noun: "replay", serve: cancelReplayFromForm},
	{method: http.MethodGet, path: "/replay", noun: "webhook", serve: replayFormPage, changes: true},
	{method: http.MethodPost, path: "/replay", noun: "webhook", serve: replayFromForm},
	{method: http.MethodGet, path: "/overview", noun: "webhook", serve: overviewPage},
	{method: http.MethodGet, path: "/assets/{name}", serve: asset, public: true},
}

// view is what every page is made from.
type view struct {
	// Root leads from the page to where the handler is mounted, so that links
	// hold wherever that is.
	Root string

	// Title names the page, and Section which part of the navigation it is in.
	Title, Section string

	// Notice says what has just been done; empty for nothing.
	Notice string

	// CanChange tells that there are forms, and Operator that everybody's is
	// shown.
	CanChange, Operator bool

	// Tenant is whose is shown to an operator: empty for everybody's. On pages
	// that list something it can be chosen.
	Tenant   string
	ByTenant bool

	// Style and Script are the paths of the assets below Root.
	Style, Script string

	// Now is when the page is made.
	Now time.Time

	// Data is what is particular to the page.
	Data any
}

// Query is the tenant that an operator has chosen, to be added to a link.
func (v *view) Query() string {
	if v.Tenant == "" {
		return ""
	}
	return "?" + tenantQuery(v.Tenant)
}

// rootOf leads from a path below the mount, as it was escaped, back to it.
func rootOf(escaped string) string {
	if up := strings.Count(escaped, "/") - 1; up > 0 {
		return strings.Repeat("../", up)
	}
	return "./"
}

// notices are what a page may be told to say, by name, so that no text from a
// link ever shows.
var notices = map[string]string{
	"created":     "The webhook has been created. It gets no events until it is activated.",
	"active":      "The webhook has been created and is active.",
	"saved":       "The changes have been saved. They hold from the next delivery on.",
	"activated":   "The webhook is active: it gets events from now on.",
	"deactivated": "The webhook has been deactivated. What is pending waits until it is activated again.",
	"deleted":     "The webhook has been deleted, and what was pending for it has been cancelled.",
	"rotated":     "The secret has been rotated.",
	"retried":     "The delivery is on its way again.",
	"cancelled":   "The delivery has been cancelled.",
	"replaying":   "The replay has begun.",
	"stopped":     "The replay has been stopped. What it has handed over stays handed over.",
}

// listTemplates are those of pages that list something.
var listTemplates = []string{"endpoints.html", "deliveries.html", "overview.html", "replays.html"}

// page answers with a page.
func (c *call) page(status int, template, title, section string, data any) error {
	v := view{
		Root:      rootOf(c.r.URL.EscapedPath()),
		Title:     title,
		Section:   section,
		Notice:    notices[c.r.URL.Query().Get("notice")],
		CanChange: !c.readOnly(),
		Operator:  c.operator,
		Tenant:    c.chosenTenant(),
		ByTenant:  c.operator && slices.Contains(listTemplates, template),
		Style:     "assets/" + style.path,
		Script:    "assets/" + script.path,
		Data:      data,
	}
	if c.Sender != nil {
		v.Now = c.Now()
	}
	var body bytes.Buffer
	if err := templates[template].ExecuteTemplate(&body, "layout", &v); err != nil {
		return &refusal{status: http.StatusInternalServerError, detail: "the page could not be written: tell whoever operates the server", cause: err}
	}
	h := c.w.Header()
	pageHeaders(h)
	h.Set("Content-Type", "text/html; charset=utf-8")
	c.w.WriteHeader(status)
	_, _ = c.w.Write(body.Bytes()) // the client may be gone
	return nil
}

// contentPolicy allows a page what it consists of and nothing else.
const contentPolicy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// pageHeaders keeps browsers from doing with a page what nobody means.
func pageHeaders(h http.Header) {
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("X-Frame-Options", "DENY") // to browsers that do not know frame-ancestors
	// With no-referrer, browsers would send the origin "null" with forms.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Add("Vary", "Accept")
}

// redirect sends the browser on after a form, to a path below the mount. The
// address is relative to that of the request (RFC 9110, section 10.2.2).
func (c *call) redirect(to string) error {
	c.w.Header().Set("Location", rootOf(c.r.URL.EscapedPath())+to)
	c.w.WriteHeader(http.StatusSeeOther)
	return nil
}

// wantsPage tells whether a request is that of a browser for a page, to which
// errors are pages as well.
func wantsPage(r *http.Request) bool {
	if r.URL.Path == "/api" || strings.HasPrefix(r.URL.Path, "/api/") {
		return false
	}
	for element := range strings.SplitSeq(r.Header.Get("Accept"), ",") {
		kind, params, _ := strings.Cut(element, ";")
		if strings.TrimSpace(kind) == "text/html" && strings.TrimSpace(params) != "q=0" {
			return true
		}
	}
	return false
}

// failure is what a page of an error shows.
type failure struct {
	Status       int
	Name, Detail string
}

// writeRefusal answers with a refusal, as a page to whoever wants one.
func (h *Handler) writeRefusal(c *call, e *refusal) {
	unread.Discard(c.w, c.r, 0, false)
	if h.NoPages || !wantsPage(c.r) {
		writeProblem(c.w, e)
		return
	}
	name := http.StatusText(e.status)
	if err := c.page(e.status, "error.html", name, "", failure{e.status, name, sentence(visible(e.detail))}); err != nil {
		writeProblem(c.w, e)
	}
}
