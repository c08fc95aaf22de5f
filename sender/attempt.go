package sender

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// What is read of an answer's body, what of that is kept, and what of an
// error, in bytes.
const (
	maxResponseRead = 64 << 10
	maxResponseKept = 16 << 10
	maxErrorKept    = 1000
)

// errTimeout is why an attempt's context ends: its time is up.
var errTimeout = errors.New("no complete answer in time")

// userAgent is sent with every delivery.
var userAgent = "caddy-webhooks/" + moduleVersion()

// Values of headers that most deliveries have. Nobody changes them.
var (
	userAgentHeader = []string{userAgent}
	jsonHeader      = []string{"application/json"}
)

// moduleVersion is the version of this module in the running program.
func moduleVersion() string {
	const path = "github.com/manysends/caddy-webhooks"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range append(info.Deps, &info.Main) {
			if m.Path == path && m.Version != "" && m.Version != "(devel)" {
				return m.Version
			}
		}
	}
	return "devel"
}

// result is an attempt and what follows from it for the lane.
type result struct {
	attempt    Attempt
	retryAfter time.Duration
	abandoned  bool      // the sender is stopping: as if it had not been made
	under      *snapshot // the configuration it was made under
}

// attempt delivers once.
func (s *Sender) attempt(t *target, d *Delivery) *result {
	r := &result{under: s.current.Load()}
	attempts := s.attempts()
	ctx, traceParent, end := s.tracing.startAttempt(attempts, d.Event, t.id, d.Attempts+1)
	room := attemptRooms.Get().(*[]byte)
	p := s.post(ctx, r.under.transport, t, d.Event, traceParent, (*room)[:0])
	if p.alone && cap(p.body) <= maxBodyRoom {
		*room = p.body
		attemptRooms.Put(room)
	}
	r.attempt, r.retryAfter = p.attempt, p.retryAfter
	r.attempt.Number = d.Attempts + 1
	if r.abandoned = p.err != nil && attempts.Err() != nil; r.abandoned {
		end(nil)
	} else {
		end(&r.attempt)
	}
	return r
}

// posted is how the posting of an event went.
type posted struct {
	attempt    Attempt
	retryAfter time.Duration // what the endpoint asked for
	err        error         // why there is no complete answer
	header     http.Header   // of the request
	body       []byte        // of the request
	alone      bool          // nobody else has these any more
	exchange   *exchange
}

// attemptRooms are buffers for the bodies of requests.
var attemptRooms = sync.Pool{New: func() any { return new([]byte) }}

// post makes one signed request of an event, and judges the answer. The room is
// for the request's body.
func (s *Sender) post(parent context.Context, transport *transport, t *target, e *webhook.Event, traceParent string, room []byte) (p posted) {
	start := s.clock.Now()
	a := &p.attempt
	a.StartedAt = start

	x := watch(parent, s.clock, start)
	stop := s.clock.AfterFunc(t.timeout, func() { x.end(errTimeout) })
	defer func() {
		stop()
		x.over()
	}()
	p.exchange = x
	p.header, p.body = signed(t, e, traceParent, start, room)

	resp, alone, err := transport.post(x, t.url, p.header, p.body) //nolint:bodyclose // readResponse closes it
	p.alone = alone
	if err == nil {
		a.StatusCode = resp.StatusCode
		a.ResponseHeaders = keptHeaders(resp.Header)
		a.ResponseBody, err = readResponse(resp.Body)
	}
	end := s.clock.Now()
	a.Duration = webhook.Duration(end.Sub(start))
	var sent bool
	if a.Timings, a.RemoteAddr, sent = x.seen(end); sent {
		a.RequestHeaders = t.shownHeaders(p.header, alone)
	}
	if err != nil {
		a.Verdict = VerdictRetry
		if errors.Is(err, ErrBlocked) {
			a.Verdict = VerdictBlocked
		}
		if errors.Is(x.Err(), errTimeout) {
			err = fmt.Errorf("%w: the limit is %s", errTimeout, t.timeout)
		}
		if resp != nil { // what it has asked for it has said before it broke off
			_, p.retryAfter = judge(resp.StatusCode, resp.Header, end)
		}
		p.err = err
		a.Error = shortened(err.Error())
		return p
	}
	a.Verdict, p.retryAfter = judge(resp.StatusCode, resp.Header, end)
	if a.Verdict != VerdictSucceeded {
		a.Error = fmt.Sprintf("the endpoint answered %d", resp.StatusCode)
		if redirects(resp.StatusCode) {
			a.Error += ": redirects are not followed, so set the endpoint's URL to the final one"
		}
	}
	return p
}

// redirects tells whether a status may lead elsewhere. 304 says that nothing has
// changed, which is an answer to other methods.
func redirects(status int) bool { return status/100 == 3 && status != http.StatusNotModified }

// answerSize is how many bytes of the endpoint's answer the attempt holds.
func (a *Attempt) answerSize() int {
	size := len(a.ResponseBody)
	for name, values := range a.ResponseHeaders {
		size += headerSize(name, values)
	}
	return size
}

// shortened cuts an error that quotes a peer at length.
func shortened(s string) string {
	if len(s) <= maxErrorKept {
		return s
	}
	return strings.ToValidUTF8(s[:maxErrorKept], "") + "…"
}

// signed makes the headers and the body of one attempt's request, with the body
// in the room if that is large enough.
func signed(t *target, e *webhook.Event, traceParent string, now time.Time, room []byte) (http.Header, []byte) {
	const envelope = 256 // bytes at most, the data aside
	body, contentType := t.format.AppendBody(slices.Grow(room, len(e.Data)+envelope), laidOut(e, t.format), t.bodySecretAt(now))
	header := make(http.Header, 8+len(t.headers))
	if t.format == webhook.FormatRaw {
		for name, values := range e.Headers {
			header[name] = values
		}
	}
	header["User-Agent"] = userAgentHeader
	for name, values := range t.headers {
		header[name] = values
	}
	header["Content-Type"] = jsonHeader
	if contentType != jsonHeader[0] {
		header["Content-Type"] = []string{contentType}
	}
	if traceParent != "" {
		header["Traceparent"] = []string{traceParent}
	}
	if t.authorization != "" {
		header["Authorization"] = []string{t.authorization}
	}
	webhook.SetHeaders(header, t.signersAt(now), e.ID, now, body)
	return header, body
}

var responseBuffers = sync.Pool{New: func() any {
	b := make([]byte, maxResponseRead)
	return &b
}}

// readResponse reads an answer's body to its end, or as far as is allowed, and
// returns the beginning of it. A body that is longer is not an error; one that
// breaks off is.
func readResponse(body io.ReadCloser) ([]byte, error) {
	defer body.Close()
	if body == http.NoBody {
		return nil, nil
	}
	buffer := responseBuffers.Get().(*[]byte)
	defer responseBuffers.Put(buffer)
	n := 0
	var err error
	for n < maxResponseRead && err == nil {
		var more int
		more, err = body.Read((*buffer)[n:])
		n += more
	}
	kept := bytes.Clone((*buffer)[:min(n, maxResponseKept)])
	if err != nil && err != io.EOF {
		return kept, fmt.Errorf("the answer broke off: %w", err)
	}
	return kept, nil
}
