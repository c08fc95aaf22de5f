package caddymodule

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/manysends/caddy-webhooks/receiver"
)

// receiversConfiguration is a Caddy configuration with receivers as handlers,
// which nothing calls, and with further apps.
func receiversConfiguration(handlers, apps string) []byte {
	return []byte(`{"admin": {"disabled": true}, "apps": {"http": {"servers": {"test": {
		"listen": ["127.0.0.1:0"], "automatic_https": {"disable": true},
		"routes": [{"handle": [` + handlers + `]}]
	}}}` + apps + `}}`)
}

func receiverOn(name, file string) string {
	return `{"handler": "webhook_receive", "name": "` + name + `", "provider": "github", "secrets": ["a-secret"], "dedupe": {"persist": "` + file + `"}}`
}

// openable tells whether a file of seen events belongs to nobody.
func openable(t *testing.T, file string) bool {
	t.Helper()
	s, err := receiver.OpenState(receiver.StateOptions{Path: file})
	if errors.Is(err, receiver.ErrStateInUse) {
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	return true
}

// TestReceiversHoldTheirFilesWhileTheyRun guards the life of what receivers
// remember: it is opened once for all that share it, not by validating, kept
// over reloads, not kept by a configuration that is rejected, whatever started
// before what failed, and closed with its last user.
func TestReceiversHoldTheirFilesWhileTheyRun(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	load := func(handlers, apps string) error { return caddy.Load(receiversConfiguration(handlers, apps), true) }
	t.Cleanup(func() { _ = caddy.Stop() })

	if err := caddy.Validate(&caddy.Config{AppsRaw: caddy.ModuleMap{"http": []byte(`{"servers": {"x": {"routes": [{"handle": [` + receiverOn("a", a) + `]}]}}}`)}}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(a); err == nil {
		t.Error("validating has made the file")
	}
	if err := load(receiverOn("a", a)+","+receiverOn("a", a), ""); err != nil {
		t.Fatal(err)
	}
	for i, tt := range []struct {
		handlers, apps string
		fails          string
		free           string
	}{
		{receiverOn("a", a), "", "", b},
		{receiverOn("a", a) + "," + receiverOn("b", b), `, "webhooks_test_troublemaker": {}`, "trouble", b},
		{receiverOn("b", b), `, "webhooks_test_troublemaker": {}`, "trouble", b},
		{receiverOn("a", a) + "," + receiverOn("b", dir), "", "webhook_receive b: ", b},
		{receiverOn("a", b), "", "", a},
		{receiverOn("a", a), "", "", b},
		{receiverOn("other", a), "", "the file of seen events is in use", b},
	} {
		for range 4 { // the order in which apps start is random
			err := load(tt.handlers, tt.apps)
			if (err == nil) != (tt.fails == "") || err != nil && !strings.Contains(err.Error(), tt.fails) {
				t.Fatalf("%d: %v, want %q", i, err, tt.fails)
			}
			held := a
			if tt.free == a {
				held = b
			}
			if openable(t, held) {
				t.Errorf("%d: %s is free although it is in use", i, held)
			}
			if !openable(t, tt.free) {
				t.Errorf("%d: %s is in use although nobody uses it", i, tt.free)
			}
		}
	}
	if n := len(currentStates()); n != 1 {
		t.Errorf("there are %d memories, want 1", n)
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	if !openable(t, a) || len(currentStates()) != 0 {
		t.Error("the memory is open after the end")
	}
}

// TestReceiverThatIsNotRunning: a request to a handler whose app has never
// started ends with its client, or with 503, and not with a panic.
func TestReceiverThatIsNotRunning(t *testing.T) {
	a := &Receivers{log: slog.New(slog.DiscardHandler), started: make(chan struct{}), over: make(chan struct{}), stop: make(chan struct{})}
	if err := a.Cleanup(); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	err := (&Receive{app: a}).ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", http.NoBody), nil)
	if !errors.Is(err, errReceiversNotRunning) || w.Header().Get("Retry-After") == "" {
		t.Errorf("the answer is %v with Retry-After %q", err, w.Header().Get("Retry-After"))
	}
}

// TestDefaultPersistPath: a receiver's name may hold anything and still names a
// file of its own in the folder.
func TestDefaultPersistPath(t *testing.T) {
	seen := make(map[string]string)
	for _, name := range []string{"github", "a/b", "a+b", "a b", "..", `a\b`, "ü", "a%2Fb", "a:b", ""} {
		h := &Receive{Persist: true}
		h.settings.Name = name
		path, err := h.persistPath()
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Dir(path) != filepath.Join(caddy.AppDataDir(), "webhooks") || filepath.Ext(path) != ".seen" {
			t.Errorf("%q is kept in %s", name, path)
		}
		if other, taken := seen[path]; taken {
			t.Errorf("%q and %q are both kept in %s", name, other, path)
		}
		seen[path] = name
	}
	for _, h := range []*Receive{
		{Persist: true, settings: receiver.Config{Dedupe: receiver.Dedupe{Persist: "/tmp/x"}}},
		{Persist: true, settings: receiver.Config{Dedupe: receiver.Dedupe{Off: true}}},
		{settings: receiver.Config{Dedupe: receiver.Dedupe{Persist: "/tmp/x", Off: true}}},
	} {
		if path, err := h.persistPath(); err == nil {
			t.Errorf("persist %t, %+v: kept in %s", h.Persist, h.settings.Dedupe, path)
		}
	}
}

// TestSecretFilesAreFound finds the files in secrets, also several in one.
func TestSecretFilesAreFound(t *testing.T) {
	for secret, want := range map[string]string{
		"plain":                                 "",
		"{env.SECRET}":                          "",
		"{file./a}":                             "/a",
		"whsec_{file./a}{env.X}{file./b c.txt}": "/a /b c.txt",
		"{file./never closed":                   "",
	} {
		var got []string
		if s := newSecretFiles([]string{"x", secret}); s != nil {
			for _, f := range s.files {
				got = append(got, f.path)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: found %q, want %q", secret, got, want)
		}
	}
}

// TestSplitReceived takes names and IDs from paths as they were escaped.
func TestSplitReceived(t *testing.T) {
	// Dots are escaped as well, because a segment of dots is taken away.
	escape := func(s string) string { return strings.ReplaceAll(url.PathEscape(s), ".", "%2E") }
	for _, tt := range [][2]string{{"github", "evt_1"}, {"a/b", "c/d?e"}, {"..", "."}, {"ü", "100%"}} {
		name, id, err := splitReceived(receivedPath + escape(tt[0]) + "/" + escape(tt[1]))
		if err != nil || name != tt[0] || id != tt[1] {
			t.Errorf("%q became %q, %q, %v", tt, name, id, err)
		}
	}
}
