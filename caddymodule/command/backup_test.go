package command

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestBackupFile: the file is whole, or there is none; and none is replaced.
func TestBackupFile(t *testing.T) {
	folder := t.TempDir()
	existing := filepath.Join(folder, "existing.db")
	if err := os.WriteFile(existing, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		path    string
		answer  func(w http.ResponseWriter)
		content string // of the file afterwards
		says    string // the error
	}{
		{"whole", "whole.db", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/vnd.sqlite3")
			_, _ = w.Write([]byte("SQLite format 3"))
		}, "SQLite format 3", ""},
		{"broken off", "broken.db", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/vnd.sqlite3")
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("SQLite format 3"))
		}, "", "broke off after 15 B"},
		{"refused", "refused.db", func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusNotImplemented)
			_, _ = w.Write([]byte(`{"detail":"the store is postgres"}`))
		}, "", "the store is postgres"},
		{"somebody else", "else.db", func(w http.ResponseWriter) { _, _ = w.Write([]byte("hello")) }, "", "is not the admin API of Caddy"},
		{"existing", "existing.db", nil, "mine", "it exists: name a new file"},
		{"no folder", "none/file.db", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/vnd.sqlite3")
		}, "", "no such file or directory"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodGet || r.URL.Path != "/webhooks/backup" {
					t.Errorf("asked %s %s", r.Method, r.URL.Path)
				}
				tt.answer(w)
			}))
			defer server.Close()
			c, err := newClient(strings.TrimPrefix(server.URL, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(folder, tt.path)
			_, err = c.save(t.Context(), path)
			if tt.says == "" && err != nil || tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says)) {
				t.Errorf("error %v, want %q", err, tt.says)
			}
			if content, _ := os.ReadFile(path); string(content) != tt.content {
				t.Errorf("the file has %q, want %q", content, tt.content)
			}
			if left, _ := filepath.Glob(filepath.Join(folder, "*.part-*")); len(left) > 0 {
				t.Errorf("it leaves %v", left)
			}
		})
	}
}
