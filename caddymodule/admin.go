package caddymodule

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"

	"github.com/manysends/caddy-webhooks/sender"
)

func init() { caddy.RegisterModule(adminAPI{}) }

// adminAPI is what Caddy's admin endpoint answers below /webhooks/:
//
// Request | What it does
// --------|-------------
// `GET /webhooks/status` | How the sender and the receivers are doing
// `/webhooks/endpoints…` | The endpoints of all tenants
// `/webhooks/event-types` | The catalogue
// `/webhooks/events/{id}` | An event with its deliveries
// `/webhooks/deliveries…` | Deliveries; live at `/webhooks/deliveries/stream`
// `/webhooks/replays…` | Replays
// `/webhooks/stats` | Attempts over time
// `GET /webhooks/backup` | A copy of the SQLite store as it is now, with all that is in it
// `DELETE /webhooks/received/{receiver}/{id}` | Makes a receiver take the event of that ID for a new one again: 204, or 404 when it is not known
//
// What is not described here is the API of the handler `webhook_settings` with
// `operator`, where `/webhooks/` stands for `/api/`; but it reveals no secrets,
// apart from those it has just made and those in a backup. What reads is a GET, and what changes
// something is not. Errors are problem details (RFC 9457), apart from those
// that Caddy answers itself.
//
// It keeps nothing: Caddy makes a new one for each configuration, also for one
// that is then rejected, and goes on to use that. So each request looks for the
// configuration in force.
type adminAPI struct{}

// CaddyModule returns the Caddy module information.
func (adminAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "admin.api.webhooks", New: func() caddy.Module { return adminAPI{} }}
}

// The paths that are answered.
const (
	adminPath    = "/webhooks/"
	statusPath   = adminPath + "status"
	backupPath   = adminPath + "backup"
	receivedPath = adminPath + "received/" // begins those of received events
)

// Routes returns the paths that are answered.
func (adminAPI) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{
		{Pattern: adminPath, Handler: caddy.AdminHandlerFunc(adminSettings)},
		{Pattern: statusPath, Handler: caddy.AdminHandlerFunc(adminStatus)},
		{Pattern: backupPath, Handler: caddy.AdminHandlerFunc(adminBackup)},
		{Pattern: receivedPath, Handler: caddy.AdminHandlerFunc(forgetReceived)},
	}
}

// adminProblem answers with problem details.
func adminProblem(w http.ResponseWriter, status int, format string, args ...any) error {
	p := sender.Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: fmt.Sprintf(format, args...)}
	w.Header().Set("Content-Type", "application/problem+json")
	return adminJSON(w, status, p)
}

// adminJSON answers with a value.
func adminJSON(w http.ResponseWriter, status int, v any) error {
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client may be gone
	return nil
}

// wrongAdminMethod answers a request whose method is not understood.
func wrongAdminMethod(w http.ResponseWriter, r *http.Request, allow string) error {
	w.Header().Set("Allow", allow)
	return adminProblem(w, http.StatusMethodNotAllowed, "the method %s is not understood here: use %s", r.Method, allow)
}

// Interface guard
var _ caddy.AdminRouter = adminAPI{}
