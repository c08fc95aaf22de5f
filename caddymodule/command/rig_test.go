package command

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

// now is when the tests take place.
var now = time.Date(2024, 3, 5, 10, 40, 0, 0, time.UTC)

// rig runs commands against a Caddy that answers what it is told.
type rig struct {
	*commands
	t       *testing.T
	address string
	stdin   io.Reader
	width   int    // of the terminal; 0 for none
	origin  string // that is accepted

	mu      sync.Mutex
	answers map[string][]reply // by method and path below /webhooks/, with the query
	asked   []string           // the same, with the body
}

// reply is one answer of Caddy: problem details where it is a failure.
type reply struct {
	status int
	body   string
	then   func() // called when it was sent, before the connection is closed
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, answers: make(map[string][]reply)}
	r.commands = &commands{
		now:  func() time.Time { return now },
		zone: time.UTC,
		terminal: func(any) (int, bool) {
			return r.width, r.width > 0
		},
		pause:   func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
		silence: time.Minute,
	}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.address = strings.TrimPrefix(server.URL, "http://")
	r.origin = server.URL
	return r
}

// answer sets what is answered to a request. Several are answered one after the
// other, the last one from then on.
func (r *rig) answer(request string, replies ...reply) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers[request] = replies
}

// ok sets an answer that is a success.
func (r *rig) ok(request, body string) { r.answer(request, reply{status: 200, body: body}) }

func (r *rig) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	path, under := strings.CutPrefix(req.URL.RequestURI(), root)
	key := req.Method + " " + path
	r.mu.Lock()
	r.asked = append(r.asked, strings.TrimSpace(key+" "+string(body)))
	replies := r.answers[key]
	if len(replies) > 1 {
		r.answers[key] = replies[1:]
	}
	r.mu.Unlock()
	if len(replies) == 0 || !under {
		http.NotFound(w, req)
		return
	}
	if origin := req.Header.Get("Origin"); origin != r.origin {
		http.Error(w, `{"error": "client is not allowed to access from origin '`+origin+`'"}`, http.StatusForbidden)
		return
	}
	if len(body) > 0 && req.Header.Get("Content-Type") != "application/json" {
		http.Error(w, `{"detail": "the body is not JSON"}`, http.StatusUnsupportedMediaType)
		return
	}
	w.WriteHeader(replies[0].status)
	_, _ = io.WriteString(w, replies[0].body)
	if replies[0].then != nil {
		_ = http.NewResponseController(w).Flush()
		replies[0].then()
	}
}

// result is what a command has printed, and its exit code.
type result struct {
	Out, Notes string
	Code       int
}

// run runs `caddy webhooks` with arguments.
func (r *rig) run(args ...string) result { return r.runWith(r.t.Context(), args...) }

func (r *rig) runWith(ctx context.Context, args ...string) result {
	r.t.Helper()
	caddy := &cobra.Command{Use: "caddy", SilenceUsage: true}
	webhooks := &cobra.Command{Use: "webhooks <command>"}
	caddy.AddCommand(webhooks)
	r.addTo(webhooks)
	var out, notes bytes.Buffer
	caddy.SetOut(&out)
	caddy.SetErr(&notes)
	if r.stdin != nil {
		caddy.SetIn(r.stdin)
	}
	whole := append([]string{"webhooks"}, args...)
	if slices.ContainsFunc(webhooks.Commands(), func(child *cobra.Command) bool { return child.Name() == args[0] }) {
		whole = slices.Insert(whole, 1, "--address", r.address)
	}
	caddy.SetArgs(whole)
	code := codeOf(caddy.ExecuteContext(ctx))
	return result{out.String(), notes.String(), code}
}

// codeOf is what Caddy exits with: it has an error of its own for codes above 1.
func codeOf(err error) int {
	if err == nil {
		return 0
	}
	if v := reflect.Indirect(reflect.ValueOf(err)); v.Kind() == reflect.Struct {
		if code := v.FieldByName("ExitCode"); code.IsValid() {
			return int(code.Int())
		}
	}
	return 1
}

// wants compares what a command did with what it should have done.
func (r *rig) wants(got, want result) {
	r.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		r.t.Errorf("it printed something else (-want +got):\n%s", diff)
	}
}

// wasAsked compares the requests.
func (r *rig) wasAsked(want ...string) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if diff := cmp.Diff(want, r.asked); diff != "" {
		r.t.Errorf("Caddy was asked something else (-want +got):\n%s", diff)
	}
}
