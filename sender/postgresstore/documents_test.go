package postgresstore

import (
	"errors"
	"testing"

	"github.com/manysends/caddy-webhooks/internal/postgrestest"
	"github.com/manysends/caddy-webhooks/sender"
)

// TestPutDocumentsWhileItIsDeleted guards that an instance does not bring back what
// another one is just deleting: it is told that the document has changed.
func TestPutDocumentsWhileItIsDeleted(t *testing.T) {
	o := options(t, postgrestest.Shared(t).URL())
	s := open(t, o)
	d := &sender.Document{Kind: "k", ID: "a", Data: []byte("1")}
	if err := s.PutDocuments(background, []*sender.Document{d}); err != nil {
		t.Fatal(err)
	}
	conn := connect(t, o.URL)
	execute(t, conn, "BEGIN")
	execute(t, conn, s.in(`DELETE FROM {s}.documents`))
	ended := make(chan error, 1)
	go func() { ended <- s.PutDocuments(background, []*sender.Document{d}) }()
	untilWaiting(t, s, conn.PgConn().PID(), ended)
	execute(t, conn, "COMMIT")
	if err := <-ended; !errors.Is(err, sender.ErrStale) {
		t.Errorf("PutDocuments = %v, want ErrStale", err)
	}
	if left, err := s.Documents(background, "k"); err != nil || len(left) > 0 {
		t.Errorf("there are %+v, %v", left, err)
	}
}
