package caddymodule

import (
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/caddyserver/caddy/v2"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/sqlitestore"
)

// adminBackup answers with a copy of the store. It has secrets in it, as the
// store has: who may ask the admin endpoint may also load a configuration that
// reveals them.
func adminBackup(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet {
		return wrongAdminMethod(w, r, http.MethodGet)
	}
	app, err := activeApp()
	if errors.Is(err, caddy.ErrNotConfigured) {
		return adminProblem(w, http.StatusNotFound, "the configuration has no webhooks: add the global option webhooks")
	}
	var e *engine
	if err == nil {
		e = app.engine.Load()
	}
	if e == nil {
		w.Header().Set("Retry-After", "5")
		return adminProblem(w, http.StatusServiceUnavailable, "the webhooks cannot be reached just now: try again in a few seconds")
	}
	store, ok := e.store.(*sqlitestore.Store)
	if !ok {
		return adminProblem(w, http.StatusNotImplemented, "the store is %s, not sqlite: make a backup with its own means", app.store.CaddyModule().ID.Name())
	}
	backup, err := store.Backup(r.Context())
	switch {
	case errors.Is(err, sender.ErrStoreFull):
		app.log.Error("the backup failed", "error", err)
		return adminProblem(w, http.StatusInsufficientStorage, "there is no room for a copy beside the store: make room on its disk")
	case err != nil:
		if r.Context().Err() == nil {
			app.log.Error("the backup failed", "error", err)
		}
		return adminProblem(w, http.StatusServiceUnavailable, "the store could not be copied: the log says why")
	}
	defer backup.Close()
	w.Header().Set("Content-Type", "application/vnd.sqlite3")
	w.Header().Set("Content-Length", strconv.FormatInt(backup.Size(), 10))
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = io.Copy(w, backup) // the client counts the bytes
	return nil
}
