package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/caddyserver/caddy/v2"
)

func init() { caddy.RegisterModule(adminAPI{}) }

// adminAPI is what Caddy's admin endpoint answers below /webhooks/:
//
// Request | What it does
// --------|-------------
// `DELETE /webhooks/received/{receiver}/{id}` | Makes a receiver take the event of that ID for a new one again: 204, or 404 when it is not known
//
// It keeps nothing: Caddy makes a new one for each configuration, also for one
// that is then rejected, and goes on to use that. So each request looks for the
// configuration in force.
type adminAPI struct{}

// CaddyModule returns the Caddy module information.
func (adminAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "admin.api.webhooks", New: func() caddy.Module { return adminAPI{} }}
}

// receivedPath begins the paths of received events.
const receivedPath = "/webhooks/received/"

// Routes returns the paths that are answered.
func (adminAPI) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{{Pattern: receivedPath, Handler: caddy.AdminHandlerFunc(forgetReceived)}}
}

// forgetReceived makes a receiver forget an event.
func forgetReceived(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodDelete {
		w.Header().Set("Allow", http.MethodDelete)
		return adminError(http.StatusMethodNotAllowed, "the method %s is not understood here: use DELETE", r.Method)
	}
	name, id, err := splitReceived(r.URL.EscapedPath())
	if err != nil {
		return caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: err}
	}
	module, err := caddy.ActiveContext().AppIfConfigured("webhook_receivers")
	if err != nil {
		return adminError(http.StatusNotFound, "the configuration has no receiver: add a webhook_receive called %q", name)
	}
	known, err := module.(*Receivers).forget(name, id)
	switch {
	case errors.Is(err, errNoReceiver):
		return caddy.APIError{HTTPStatus: http.StatusNotFound, Err: err}
	case err != nil:
		return err
	case !known:
		return adminError(http.StatusNotFound, "the receiver %q does not remember an event %q: it was not processed, it is forgotten already, or its ID is not signed and many have come since", name, id)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// splitReceived takes the receiver's name and the event ID from an escaped
// path. Either may hold slashes that are escaped.
func splitReceived(path string) (name, id string, err error) {
	escapedName, escapedID, found := strings.Cut(strings.TrimPrefix(path, receivedPath), "/")
	if !found || escapedName == "" || escapedID == "" {
		return "", "", fmt.Errorf("the path names no event: use %s<receiver>/<id>", receivedPath)
	}
	if name, err = url.PathUnescape(escapedName); err != nil {
		return "", "", err
	}
	if id, err = url.PathUnescape(escapedID); err != nil {
		return "", "", err
	}
	return name, id, nil
}

func adminError(status int, format string, args ...any) error {
	return caddy.APIError{HTTPStatus: status, Err: fmt.Errorf(format, args...)}
}

// Interface guard
var _ caddy.AdminRouter = adminAPI{}
