package caddymodule

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/manysends/caddy-webhooks/sender"
)

// adminOverview is how it all is doing.
type adminOverview struct {
	// Version is that of this module.
	Version string `json:"version"`

	// Running tells that there is a sender, of which Store, Backlog, Outbox and
	// Endpoints are.
	Running   bool                 `json:"running"`
	Store     *adminStore          `json:"store,omitempty"`
	Backlog   adminBacklog         `json:"backlog"`
	Outbox    *sender.OutboxCount  `json:"outbox,omitempty"`
	Endpoints map[sender.State]int `json:"endpoints"`

	Receivers []adminReceiver `json:"receivers"`
}

// adminStore is the store.
type adminStore struct {
	Module string `json:"module"`
	Size   int64  `json:"size_bytes"`
}

// adminBacklog is what waits, how much of it for endpoints that are not here, and
// for how long the oldest of it has been due.
type adminBacklog struct {
	Pending int64   `json:"pending"`
	Astray  int64   `json:"astray,omitempty"`
	Oldest  float64 `json:"oldest_seconds"`
}

// adminReceiver is one name of receivers with what they remember.
type adminReceiver struct {
	Name     string `json:"name"`
	Provider string `json:"provider"`

	// Seen are the events that are remembered, InFlight the keys of those that
	// are being processed, and Forgotten the events that were forgotten before
	// their time.
	Seen      int   `json:"seen"`
	InFlight  int   `json:"in_flight"`
	Forgotten int64 `json:"forgotten"`

	// Persisting tells that what is remembered is kept in a file, which is
	// complete.
	Persisting bool `json:"persisting"`
}

// adminStatus answers how it all is doing.
func adminStatus(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return wrongAdminMethod(w, r, "GET, HEAD")
	}
	o := adminOverview{Version: sender.Version(), Endpoints: map[sender.State]int{}, Receivers: receiversInForce()}
	app, err := activeApp()
	if errors.Is(err, caddy.ErrNotConfigured) {
		return adminJSON(w, http.StatusOK, o)
	}
	if err == nil {
		if err = o.describe(r, app); err != nil {
			app.log.Error("the status cannot be told", "error", err)
		}
	}
	if err != nil {
		w.Header().Set("Retry-After", "5")
		return adminProblem(w, http.StatusServiceUnavailable, "the webhooks cannot be reached just now: try again in a few seconds")
	}
	return adminJSON(w, http.StatusOK, o)
}

// describe fills in what is known of a sender.
func (o *adminOverview) describe(r *http.Request, app *App) error {
	s, err := app.senderFor(r.Context())
	if err != nil {
		return err
	}
	overview, err := s.Overview(r.Context())
	if err != nil {
		return err
	}
	o.Running = true
	o.Store = &adminStore{Module: app.store.CaddyModule().ID.Name(), Size: overview.StoreSize}
	o.Backlog = adminBacklog{Pending: overview.Pending, Astray: overview.Astray, Oldest: overview.Oldest.Seconds()}
	o.Outbox = overview.Outbox
	o.Endpoints = overview.Endpoints
	return nil
}

// receiversInForce are the receivers of the configuration in force, by name.
func receiversInForce() []adminReceiver {
	list := []adminReceiver{}
	module, err := caddy.ActiveContext().AppIfConfigured("webhook_receivers")
	if err != nil {
		return list
	}
	for _, h := range module.(*Receivers).handlers {
		i := slices.IndexFunc(list, func(known adminReceiver) bool { return known.Name == h.settings.Name })
		if i >= 0 {
			if !slices.Contains(strings.Split(list[i].Provider, ", "), h.settings.Provider) {
				list[i].Provider += ", " + h.settings.Provider
			}
			continue
		}
		a := adminReceiver{Name: h.settings.Name, Provider: h.settings.Provider}
		if state := openState(h.stateKey()); state != nil {
			stats := state.Stats()
			a.Seen, a.InFlight = stats.Exact+stats.Settled, stats.Claimed
			a.Forgotten, a.Persisting = stats.Forgotten, stats.Persisting
		}
		list = append(list, a)
	}
	slices.SortFunc(list, func(a, b adminReceiver) int { return strings.Compare(a.Name, b.Name) })
	return list
}
