package sqlitestore

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/manysends/caddy-webhooks/sender"
)

// TestDocumentsLeaveNoTraces: of a document that is stored again as something
// else, as when it is sealed, or deleted, nothing stays in the file, nor in the
// pages of it that have become free.
func TestDocumentsLeaveNoTraces(t *testing.T) {
	const secret = "whsec_in_the_clear"
	for _, size := range []int{100, 1000, 20_000} {
		for name, change := range map[string]func(context.Context, *Store, []*sender.Document) error{
			"made shorter": func(ctx context.Context, s *Store, all []*sender.Document) error {
				for _, d := range all {
					d.Data = []byte("sealed")
				}
				return s.PutDocuments(ctx, all)
			},
			"made longer": func(ctx context.Context, s *Store, all []*sender.Document) error {
				for _, d := range all {
					d.Data = bytes.Repeat([]byte("sealed"), size/2)
					if err := s.PutDocuments(ctx, []*sender.Document{d}); err != nil {
						return err
					}
				}
				return nil
			},
			"deleted": func(ctx context.Context, s *Store, all []*sender.Document) error {
				for _, d := range all {
					if err := s.DeleteDocument(ctx, d.Kind, d.ID); err != nil {
						return err
					}
				}
				return nil
			},
		} {
			t.Run(fmt.Sprintf("%s, of %d bytes", name, size), func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "webhooks.db")
				s, err := Open(path, Options{})
				if err != nil {
					t.Fatal(err)
				}
				var all []*sender.Document
				for i := range 200 {
					filling := strings.Repeat("x", size/2)
					all = append(all, &sender.Document{Kind: "k", ID: fmt.Sprint(i * 7919 % 200), Data: []byte(filling + secret + filling)})
				}
				if err := s.PutDocuments(t.Context(), all); err != nil {
					t.Fatal(err)
				}
				if n := countInFile(t, path+"-wal", secret); n == 0 {
					t.Error("the test does not find what is there")
				}
				if err := change(t.Context(), s, all); err != nil {
					t.Fatal(err)
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				if n := countInFile(t, path, secret); n != 0 {
					t.Errorf("the file still holds %d of it", n)
				}
			})
		}
	}
}

// countInFile counts how often a text stands in a file.
func countInFile(t *testing.T, path, text string) int {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(content, []byte(text))
}
