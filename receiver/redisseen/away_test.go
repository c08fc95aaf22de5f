package redisseen_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/internal/redistest"
	"github.com/manysends/caddy-webhooks/receiver"
	"github.com/manysends/caddy-webhooks/receiver/redisseen"
)

// patience is more than anything here takes.
const patience = 30 * time.Second

// eventually waits until what is true, and fails the test if it never is.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for until := time.Now().Add(patience); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// What a process could not tell Redis, it tells it when it is back; until then
// all calls fail instead of hanging.
func TestRedisIsKilledAndStartedAgain(t *testing.T) {
	server := redistest.Start(t)
	m := open(t, redisseen.Options{URL: server.URL(), Name: "n"})
	other := open(t, redisseen.Options{URL: server.URL(), Name: "n"})
	ctx := context.Background()
	claim := func(k receiver.Key) receiver.Finding {
		t.Helper()
		found, err := m.Claim(ctx, []receiver.Key{k}, 0)
		if err != nil || found.Hold == nil {
			t.Fatalf("found %+v, error %v: want the claim", found, err)
		}
		return found
	}
	before, during, given := claim(receiver.Key{1}), claim(receiver.Key{2}), claim(receiver.Key{3})
	if err := before.Hold.Commit(ctx, time.Hour); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	if err := during.Hold.Commit(ctx, time.Hour); !errors.Is(err, receiver.ErrUnavailable) {
		t.Errorf("commit: %v, want ErrUnavailable", err)
	}
	if err := given.Hold.Release(ctx); !errors.Is(err, receiver.ErrUnavailable) {
		t.Errorf("release: %v, want ErrUnavailable", err)
	}
	for range 100 {
		if found, err := m.Claim(ctx, []receiver.Key{{4}}, time.Hour); !errors.Is(err, receiver.ErrUnavailable) {
			t.Fatalf("found %+v, error %v: want ErrUnavailable", found, err)
		}
	}
	server.Run(t)
	for i, want := range []string{"duplicate", "duplicate", "claimed"} {
		eventually(t, "event to be "+want, func() bool {
			found, err := other.Claim(ctx, []receiver.Key{{byte(i + 1)}}, 0)
			return err == nil && (want == "duplicate") == found.Duplicate && (want == "claimed") == (found.Hold != nil)
		})
	}
}

// A Redis that hangs is no different: a claim with all the time in the world
// comes back.
func TestRedisHangs(t *testing.T) {
	server := redistest.Start(t, "--appendonly", "no")
	m := open(t, redisseen.Options{URL: server.URL(), Name: "n", Timeout: 100 * time.Millisecond})
	ctx := context.Background()
	eventually(t, "a claim", func() bool {
		found, err := m.Claim(ctx, []receiver.Key{{1}}, 0)
		return err == nil && found.Hold != nil
	})
	server.Freeze(t)
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			if found, err := m.Claim(ctx, []receiver.Key{{1}}, time.Hour); !errors.Is(err, receiver.ErrUnavailable) {
				t.Errorf("found %+v, error %v: want ErrUnavailable", found, err)
			}
		})
	}
	wg.Wait()
	// One that begins now does not hang either.
	hung := open(t, redisseen.Options{URL: server.URL(), Name: "n", Timeout: 100 * time.Millisecond})
	if _, err := hung.Claim(ctx, []receiver.Key{{1}}, time.Hour); !errors.Is(err, receiver.ErrUnavailable) {
		t.Errorf("error %v, want ErrUnavailable", err)
	}
	server.Thaw(t)
	for _, m := range []*memory{m, hung} {
		eventually(t, "Redis to be asked again", func() bool {
			_, err := m.Claim(ctx, []receiver.Key{{2}}, 0)
			return err == nil
		})
	}
}

// lines is a log.
type lines struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(b)
}

func TestReceiverWhileRedisIsAway(t *testing.T) {
	for _, on := range []receiver.OnError{"", receiver.OnErrorDeny, receiver.OnErrorAllow} {
		t.Run(string("on_error="+on), func(t *testing.T) {
			server := redistest.Start(t)
			log := new(lines)
			options := receiver.StateOptions{OnError: on, Logger: slog.New(slog.NewTextHandler(log, nil))}
			rc, state := newReceiver(t, receiver.Config{}, options, redisseen.Options{URL: server.URL()})
			other, _ := newReceiver(t, receiver.Config{}, receiver.StateOptions{OnError: on}, redisseen.Options{URL: server.URL()})
			send := func(rc *receiver.Receiver, id string) (word string) {
				w := httptest.NewRecorder()
				word = "not called"
				err := rc.Handle(w, request(t, id), func(http.ResponseWriter, *http.Request) error {
					word = "processed"
					return nil
				})
				if w.Header().Get(receiver.HeaderDuplicate) != "" {
					word = "duplicate"
				}
				if refusal, ok := errors.AsType[*receiver.Refusal](err); ok {
					if refusal.Status != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
						t.Errorf("refused with %d and Retry-After %q", refusal.Status, w.Header().Get("Retry-After"))
					}
					word = string(refusal.Reason)
				}
				return word
			}
			want := func(rc *receiver.Receiver, id, want string) {
				t.Helper()
				if got := send(rc, id); got != want {
					t.Errorf("%s is %s, want %s", id, got, want)
				}
			}
			want(rc, "a", "processed")
			want(other, "a", "duplicate")

			server.Kill()
			first, second := "memory_unavailable", "memory_unavailable"
			if on == receiver.OnErrorAllow {
				first, second = "processed", "duplicate"
			}
			want(rc, "b", first)
			want(rc, "b", second)
			want(other, "b", first) // which cannot know
			want(rc, "a", "duplicate")
			if s := state.Stats(); !s.SharedAway || s.SharedErrors == 0 {
				t.Errorf("stats %+v: want Redis to be away", s)
			}

			server.Run(t)
			n := 0
			eventually(t, "Redis to be back", func() bool {
				n++
				id := "after_" + strconv.Itoa(n)
				return send(rc, id) == "processed" && send(other, id) == "duplicate" && !state.Stats().SharedAway
			})
			text := log.String()
			if strings.Count(text, "cannot be reached:") < 1 || strings.Count(text, "level=ERROR") != strings.Count(text, "level=INFO") || strings.Count(text, "level=ERROR") > 3 {
				t.Errorf("the log must tell once that Redis is away and once that it is back:\n%s", text)
			}
		})
	}
}

// A Redis that is not there yet is no error, and one that refuses us is; the
// password is in no error.
func TestOpenErrors(t *testing.T) {
	server := redistest.Start(t, "--appendonly", "no", "--requirepass", "right")
	for _, tt := range []struct{ name, url, says string }{
		{"wrong password", "redis://:hunter2@" + server.Addr, "refuses"},
		{"no password", server.URL(), "refuses"},
		{"wrong user", "redis://somebody:hunter2@" + server.Addr, "refuses"},
		{"not escaped", "redis://:hunter2/x@" + server.Addr, "percent-encoded"},
		{"other scheme", "http://:hunter2@" + server.Addr, "redis://"},
		{"no URL", "hunter2", "redis://"},
		{"empty", "", "redis://"},
		{"bad database", "redis://:hunter2@" + server.Addr + "/hunter2", "redis://"},
		{"right password", "redis://:right@" + server.Addr, ""},
		{"nobody there", "redis://:hunter2@127.0.0.1:1", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, err := redisseen.Open(redisseen.Options{URL: tt.url})
			if err == nil {
				m.Close()
			}
			if (err == nil) != (tt.says == "") {
				t.Fatalf("error %v", err)
			}
			if err != nil && (!strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "hunter2")) {
				t.Errorf("the error must say %q and not the password: %v", tt.says, err)
			}
		})
	}
	if err := (redisseen.Options{URL: server.URL(), Prefix: "{a}"}).Validate(); err == nil {
		t.Error("a prefix with braces is taken")
	}
}
