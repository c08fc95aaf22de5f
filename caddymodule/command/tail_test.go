package command

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMessages(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want []message
	}{
		{"", nil},
		{"event: a\ndata: 1\n\n", []message{{"a", []byte("1")}}},
		{": comment\n\nevent:a\ndata:1\nid: 7\r\ndata:  2\n\n", []message{{"a", []byte("1\n 2")}}},
		{"event: a\n\ndata: 1\n\n", []message{{"", []byte("1")}}}, // without data it is none, and its name is forgotten
		{"event: a\r\ndata: 1\r\n\r\nevent: b\r\ndata: 2\r\n", []message{{"a", []byte("1")}}},
		{"data: 1\n\ndata: broken o", []message{{"", []byte("1")}}},
	} {
		var got []message
		alive := 0
		err := messages(strings.NewReader(tt.in), func() { alive++ }, func(m message) error {
			got = append(got, m)
			return nil
		})
		if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(message{})); err != nil || diff != "" {
			t.Errorf("%q: %v\n%s", tt.in, err, diff)
		}
		if want := strings.Count(tt.in, "\n"); alive != want {
			t.Errorf("%q: %d signs of life, want %d", tt.in, alive, want)
		}
	}
	for _, in := range []string{"data: " + strings.Repeat("x", maxMessage), strings.Repeat("data: "+strings.Repeat("x", 1000)+"\n", 2000)} {
		if err := messages(strings.NewReader(in), func() {}, func(message) error { return nil }); err != errMessage {
			t.Errorf("a message that is too long: %v", err)
		}
	}
}

func FuzzMessages(f *testing.F) {
	f.Add("event: delivery\ndata: {}\n\n: alive\n\n")
	f.Fuzz(func(t *testing.T, s string) {
		err := messages(strings.NewReader(s), func() {}, func(m message) error {
			if strings.Contains(m.name, "\n") || len(m.data) > maxMessage {
				t.Errorf("%q has the message %q", s, m)
			}
			return nil
		})
		if err != nil && len(s) < maxMessage {
			t.Errorf("%q: %v", s, err)
		}
	})
}

func sse(name, data string) string { return "event: " + name + "\ndata: " + data + "\n\n" }

// TestTail shows the newest deliveries, and then those of the stream, over a
// reload and a restart, until the user has enough.
func TestTail(t *testing.T) {
	const stream = "GET deliveries/stream?endpoint=crm&tenant=acme"
	const lost = "The connection to Caddy has ended: looking for it again.\n"
	const back = "The connection is there again: what ended meanwhile is not shown.\n"
	setUp := func(ctx context.Context) (*rig, context.Context) {
		ctx, interrupt := context.WithCancel(ctx)
		r := newRig(t)
		r.ok("GET deliveries?endpoint=crm&limit=2&tenant=acme", `{"deliveries":[`+pendingDelivery+`,`+failedDelivery+`]}`)
		r.answer(stream,
			reply{status: 200, body: ": hello\n\n" + sse("delivery", doneDelivery) + sse("lost", `{"count":2}`) + sse("new", "{}")}, // a reload
			reply{status: 503, body: `{"detail":"there are too many streams"}`},
			reply{status: 200, body: "event: deliv", then: func() { panic(http.ErrAbortHandler) }}, // it dies
			reply{status: 200, body: sse("delivery", pendingDelivery)})
		pauses := 0
		r.pause = func(context.Context, time.Duration) error {
			if pauses++; pauses == 4 {
				interrupt()
			}
			return ctx.Err()
		}
		return r, ctx
	}
	r, ctx := setUp(t.Context())
	r.wants(r.runWith(ctx, "tail", "-n", "2", "--endpoint", "crm", "--tenant", "acme", "--json"), result{
		Out:   strings.Join([]string{failedDelivery, pendingDelivery, doneDelivery, pendingDelivery, ""}, "\n"),
		Notes: "2 deliveries are missing here: too many at once.\n" + lost + back + lost + back + lost,
	})
	r, ctx = setUp(t.Context())
	got := r.runWith(ctx, "tail", "-n", "2", "--endpoint", "crm", "--tenant", "acme")
	if lines := strings.Split(strings.TrimSpace(got.Out), "\n"); got.Code != 0 || len(lines) != 5 || !strings.HasPrefix(lines[0], "DELIVERY ") || !strings.HasPrefix(lines[3], "dlv_3_crm ") {
		t.Errorf("printed %+v", got)
	}
}

// TestTailBegins in vain.
func TestTailBegins(t *testing.T) {
	r := newRig(t)
	r.answer("GET deliveries/stream", reply{status: 503, body: `{"detail":"64 streams are open: close one"}`})
	r.wants(r.run("tail", "--lines", "0"), result{Notes: "Error: 64 streams are open: close one\n", Code: 1})
	r.answer("GET deliveries/stream", reply{status: 200, body: sse("delivery", "no JSON")})
	if got := r.run("tail", "--lines", "0"); got.Code != 1 || !strings.HasPrefix(got.Notes, "Error: what answers at ") {
		t.Errorf("printed %+v", got)
	}
}

// TestTailNoticesSilence gives up a stream of which nothing comes any more, not
// even that it is there, and looks for another.
func TestTailNoticesSilence(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	r := newRig(t)
	r.silence = 1 // any silence is too long
	over := make(chan struct{})
	r.answer("GET deliveries/stream",
		reply{status: 200, then: func() { <-over }},
		reply{status: 200, then: func() { interrupt(); <-over }})
	got := r.runWith(ctx, "tail", "--lines", "0")
	close(over)
	if got.Code != 0 || !strings.HasPrefix(got.Notes, "The connection to Caddy has ended: looking for it again.\n") {
		t.Errorf("printed %+v", got)
	}
}
