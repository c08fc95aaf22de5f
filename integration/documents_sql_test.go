package integration

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/manysends/caddy-webhooks/internal/postgrestest"
	"github.com/manysends/caddy-webhooks/sender/postgresstore"
)

// runSQL runs the SQL of a document, one block after the other, on a database
// that has the store's schema.
func runSQL(t *testing.T, blocks []docBlock) {
	server := postgrestest.Start(t)
	url := server.Database(t)
	store, err := postgresstore.Open(t.Context(), postgresstore.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	for _, b := range blocks {
		if b.language != "sql" {
			continue
		}
		if _, err := conn.PgConn().Exec(t.Context(), b.text).ReadAll(); err != nil {
			t.Errorf("%s: %v\n%s", b, err, b.text)
		}
	}
}
