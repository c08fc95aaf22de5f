//go:build unix

package http1

import (
	"bytes"
	"context"
	"io"
	"log"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// recorded is a connection over which, once there is a request, an answer comes
// that was recorded. Then it ends.
type recorded struct {
	net.Conn // nil: nothing else is called
	answer   *bytes.Reader
	asked    chan struct{}
	once     sync.Once
}

func record(answer []byte) *recorded {
	return &recorded{answer: bytes.NewReader(answer), asked: make(chan struct{})}
}

func (r *recorded) dial(context.Context, string, string) (net.Conn, error) { return r, nil }

func (r *recorded) Read(p []byte) (int, error) {
	<-r.asked
	return r.answer.Read(p)
}

func (r *recorded) Write(p []byte) (int, error) {
	r.once.Do(func() { close(r.asked) })
	return len(p), nil
}

func (r *recorded) SetDeadline(time.Time) error { return nil }
func (r *recorded) LocalAddr() net.Addr         { return &net.TCPAddr{} }
func (r *recorded) RemoteAddr() net.Addr        { return &net.TCPAddr{} }
func (r *recorded) Close() error                { return nil }

// FuzzAnswer: whatever comes as an answer, it is taken for the same as by
// net/http's client.
func FuzzAnswer(f *testing.F) {
	for _, a := range answers {
		f.Add([]byte(a.answer))
	}
	log.SetOutput(io.Discard) // net/http tells of what nobody has asked for
	f.Cleanup(func() { log.SetOutput(os.Stderr) })
	f.Fuzz(func(t *testing.T, answer []byte) {
		c, ref := newClient(t), reference(t)
		c.Dial, ref.DialContext = record(answer).dial, record(answer).dial
		got := send(c, newRequest(t, t.Context(), "http://crm.example/", "body"))
		want := send(ref, newRequest(t, t.Context(), "http://crm.example/", "body"))
		if got.Status == 101 && want.Status == 101 { // what follows is not HTTP
			got.Body, want.Body = "", ""
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-net/http +this):\n%s", diff)
		}
	})
}
