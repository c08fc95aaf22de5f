package settings

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/manysends/caddy-webhooks/sender"
)

// Handler serves the settings of one tenant at a time, or those of all tenants
// to the operator. Its fields must not change after the first request.
type Handler struct {
	// Sender returns the sender to work on, or an error when there is none for
	// the time being, which is answered with 503.
	Sender func(context.Context) (*sender.Sender, error)

	// Tenant says whose endpoints a request is about. When it is not ok the
	// answer is 403, and so it is for [sender.AnyTenant], which is nobody.
	// Default: the empty tenant.
	Tenant func(*http.Request) (tenant string, ok bool)

	// Operator serves what belongs to all tenants: lists take the parameter
	// tenant, what is made takes the member tenant, and what is answered has
	// it. Put it behind whatever lets the operator alone in. With Tenant beside
	// it every request is answered with 500.
	Operator bool

	// HideSecrets refuses, with 403, to reveal secrets. One that is made is
	// shown once all the same.
	HideSecrets bool

	// ReadOnly refuses, with 403, every request that is not a GET or a HEAD,
	// and revealing secrets.
	ReadOnly bool

	// MaxEndpoints is how many endpoints one tenant may make. Below zero there may
	// be any number. Default: [DefaultMaxEndpoints] where Tenant is set, and
	// otherwise any number.
	MaxEndpoints int

	// Prefix is the path that the handler is mounted at, such as
	// "/settings/webhooks". Leave it empty where the prefix is stripped before
	// the handler, and at the root.
	Prefix string

	// TrustedOrigins are origins, such as "https://app.example", whose pages may
	// change something, as those of the Host of a request may: where a proxy
	// gives requests another Host, the one at which browsers reach the pages.
	// [CheckOrigin] says how they are written; with one that it refuses every
	// request is answered with 500. Default: none.
	TrustedOrigins []string

	// NoPages leaves the pages out: there is the API alone.
	NoPages bool

	// Ending is closed when streams are to end because the server, or this
	// handler, is about to: a server that shuts down waits for its requests.
	// Default: streams end when their client leaves or the sender stops.
	Ending <-chan struct{}

	// Logger is told of trouble with the store. Default: nobody.
	Logger *slog.Logger

	once        sync.Once
	misuse      error // why every request is refused
	crossOrigin http.CrossOriginProtection
	mux         *http.ServeMux
	prefix      string
	log         *slog.Logger
	kept        kept
	rollups     rollups
	explaining  sync.Mutex // held while a request that was pasted is looked into
}

// ServeHTTP answers one request; see the package's documentation.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.once.Do(h.prepare)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	// No page of elsewhere gets an answer into its process.
	w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
	rest, found := strings.CutPrefix(r.URL.Path, h.prefix)
	if !found || r.URL.RawPath != "" && !strings.HasPrefix(r.URL.RawPath, h.prefix) {
		writeProblem(w, nothingHere)
		return
	}
	if rest == "" && h.prefix != "" && !h.NoPages {
		// What the pages refer to is relative to a path with a slash at its end.
		to := url.URL{Path: "./" + path.Base(h.prefix) + "/", RawQuery: r.URL.RawQuery}
		w.Header().Set("Location", to.String())
		w.WriteHeader(http.StatusSeeOther)
		return
	}
	// The mux would redirect to the clean path, without what has been stripped
	// from it.
	below := http.Handler(h.mux)
	if !strings.HasPrefix(rest, "/") || path.Clean(rest) != rest {
		below = http.HandlerFunc(h.noSuchPath)
	}
	http.StripPrefix(h.prefix, below).ServeHTTP(w, r)
}

// prepare makes ready for the first request.
func (h *Handler) prepare() {
	h.prefix = strings.TrimRight(h.Prefix, "/")
	if h.log = h.Logger; h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	if h.misuse = h.trustOrigins(); h.Operator && h.Tenant != nil {
		h.misuse = errTenantOfOperator
	}
	h.mux = http.NewServeMux()
	methods := make(map[string][]string)
	all := routes
	if !h.NoPages {
		all = slices.Concat(routes, pageRoutes)
	}
	for _, rt := range all {
		h.mux.Handle(rt.method+" "+rt.path, h.serve(rt))
		methods[rt.path] = append(methods[rt.path], rt.method)
	}
	for path, allowed := range methods {
		if path == streamPath { // other methods end up at the path of one delivery, which allows the same
			continue
		}
		h.mux.Handle(path, h.wrongMethod(allowed))
	}
	h.mux.HandleFunc("/", h.noSuchPath)
}

// nothingHere refuses a path that nothing is at.
var nothingHere = &refusal{status: http.StatusNotFound, detail: "there is nothing at this path: api/openapi.json of webhook_settings says what there is"}

func (h *Handler) noSuchPath(w http.ResponseWriter, r *http.Request) {
	h.writeRefusal(&call{w: w, r: r, handler: h}, nothingHere)
}

// wrongMethod answers requests to a path that knows other methods.
func (h *Handler) wrongMethod(methods []string) http.HandlerFunc {
	var allow []string
	for _, m := range methods {
		if allow = append(allow, m); m == http.MethodGet {
			allow = append(allow, http.MethodHead)
		}
	}
	list := strings.Join(allow, ", ")
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", list)
		h.writeRefusal(&call{w: w, r: r, handler: h}, &refusal{status: http.StatusMethodNotAllowed, detail: "the method is not allowed here: use " + list})
	}
}

// DefaultMaxEndpoints is how many endpoints one of several tenants may make when
// nothing else is said.
const DefaultMaxEndpoints = 1000

// most is how many endpoints one tenant may make; 0 for any number.
func (h *Handler) most() int {
	if h.MaxEndpoints == 0 && h.Tenant != nil {
		return DefaultMaxEndpoints
	}
	return max(0, h.MaxEndpoints)
}

// call is one request on its way.
type call struct {
	*sender.Sender
	tenant   string // whose things the request is about; AnyTenant for the operator
	operator bool   // all tenants are served
	w        http.ResponseWriter
	r        *http.Request
	handler  *Handler
}

func (c *call) context() context.Context { return c.r.Context() }

// id is the ID in the path.
func (c *call) id() string { return c.r.PathValue("id") }

// serve makes the handler of a route.
func (h *Handler) serve(rt route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c := &call{w: w, r: r, handler: h}
		if err := h.admit(c, rt); err != nil {
			h.refuse(c, rt, err)
			return
		}
		if err := rt.serve(c); err != nil {
			h.refuse(c, rt, err)
		}
	}
}

// errTenantOfOperator is why a handler refuses all requests.
var errTenantOfOperator = errors.New("settings.Handler has both Operator and Tenant: set one of the two")

// admit decides whether a request may go on, and says on what it works.
func (h *Handler) admit(c *call, rt route) error {
	if rt.public {
		return nil
	}
	forbidden := func(detail string) error { return &refusal{status: http.StatusForbidden, detail: detail} }
	switch {
	case h.misuse != nil:
		return &refusal{status: http.StatusInternalServerError, detail: "the webhook settings are not set up properly: tell whoever operates the server", cause: h.misuse}
	case h.Operator:
		c.operator, c.tenant = true, sender.AnyTenant
	case h.Tenant != nil:
		tenant, ok := h.Tenant(c.r)
		if !ok || tenant == sender.AnyTenant {
			return forbidden("nobody's webhook settings are yours: sign in first")
		}
		c.tenant = tenant
	}
	if rt.method != http.MethodGet {
		if err := h.crossOrigin.Check(c.r); err != nil {
			return forbidden("the request comes from a page of another origin: make it from your server, or from a page of this site")
		}
	}
	if h.ReadOnly && (rt.method != http.MethodGet || rt.reveals || rt.changes) {
		return forbidden("these settings are read-only: ask whoever operates the server")
	}
	if h.HideSecrets && rt.reveals {
		return forbidden("secrets are not revealed here: rotate the endpoint's secret to be shown the new one")
	}
	s, err := h.Sender(c.context())
	if err != nil {
		return unavailable(err)
	}
	c.Sender = s
	return nil
}

// refuse answers a request that could not be done.
func (h *Handler) refuse(c *call, rt route, err error) {
	p := explain(err, rt.noun)
	if p.status >= http.StatusInternalServerError {
		if p.status == http.StatusServiceUnavailable {
			c.w.Header().Set("Retry-After", "5")
		}
		if !errors.Is(err, context.Canceled) { // the client has left: nothing is wrong
			h.log.Error("a request to the webhook settings failed", "route", rt.method+" "+rt.path, "error", err)
		}
	}
	h.writeRefusal(c, p)
}
