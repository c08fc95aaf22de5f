package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/manysends/caddy-webhooks/receiver"
)

// forgetReceived makes a receiver forget an event.
func forgetReceived(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodDelete {
		return wrongAdminMethod(w, r, http.MethodDelete)
	}
	name, id, err := splitReceived(r.URL.EscapedPath())
	if err != nil {
		return adminProblem(w, http.StatusBadRequest, "%s", err)
	}
	module, err := caddy.ActiveContext().AppIfConfigured("webhook_receivers")
	if err != nil {
		return adminProblem(w, http.StatusNotFound, "the configuration has no receiver: add a webhook_receive called %q", name)
	}
	known, err := module.(*Receivers).forget(name, id)
	switch {
	case errors.Is(err, errNoReceiver):
		return adminProblem(w, http.StatusNotFound, "%s", err)
	case errors.Is(err, receiver.ErrUnavailable):
		w.Header().Set("Retry-After", "5")
		return adminProblem(w, http.StatusServiceUnavailable, "nothing is forgotten: %s: try again when it is back", err)
	case err != nil:
		return err
	case !known:
		return adminProblem(w, http.StatusNotFound, "the receiver %q does not remember an event %q: it was not processed, it is forgotten already, or its ID is not signed and many have come since", name, id)
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
