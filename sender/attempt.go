package sender

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// What is read of an answer's body, and what of that is kept.
const (
	maxResponseRead = 64 << 10
	maxResponseKept = 16 << 10
)

// errTimeout is why an attempt's context ends: its time is up.
var errTimeout = errors.New("no complete answer in time")

// userAgent is sent with every delivery.
var userAgent = "caddy-webhooks/" + moduleVersion()

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

// newTransport makes the HTTP client under all attempts. It follows no
// redirects and decompresses nothing. Connections go through the guard of the
// snapshot that is current when they are made.
func (s *Sender) newTransport() *http.Transport {
	return &http.Transport{
		DialContext:            s.dialContext,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true,
		MaxIdleConns:           4096,
		MaxIdleConnsPerHost:    256,
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    10 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		WriteBufferSize:        8 << 10,
	}
}

// result is an attempt and what follows from it for the lane.
type result struct {
	attempt    Attempt
	retryAfter time.Duration
	abandoned  bool // the sender is stopping: as if it had not been made
}

// attempt delivers once.
func (s *Sender) attempt(t *target, d *Delivery) result {
	start := s.clock.Now()
	r := result{attempt: Attempt{Number: d.Attempts + 1, StartedAt: start}}
	a := &r.attempt

	ctx, cancel := context.WithCancelCause(s.attempts)
	stop := s.clock.AfterFunc(t.timeout, func() { cancel(errTimeout) })
	defer func() {
		stop()
		cancel(nil)
	}()

	resp, err := s.transport.RoundTrip(newRequest(ctx, t, d.Event, start))
	if err == nil {
		a.StatusCode = resp.StatusCode
		a.ResponseBody, err = readResponse(resp.Body)
	}
	end := s.clock.Now()
	a.Duration = webhook.Duration(end.Sub(start))
	if err != nil {
		if s.attempts.Err() != nil {
			r.abandoned = true
			return r
		}
		a.Verdict = VerdictRetry
		if errors.Is(err, ErrBlocked) {
			a.Verdict = VerdictBlocked
		}
		if errors.Is(context.Cause(ctx), errTimeout) {
			err = fmt.Errorf("%w: the limit is %s", errTimeout, t.timeout)
		}
		a.Error = err.Error()
		return r
	}
	a.Verdict, r.retryAfter = judge(resp.StatusCode, resp.Header, end)
	if a.Verdict != VerdictSucceeded {
		a.Error = fmt.Sprintf("the endpoint answered %d", resp.StatusCode)
		if resp.StatusCode/100 == 3 {
			a.Error += ": redirects are not followed, so set the endpoint's URL to the final one"
		}
	}
	return r
}

// newRequest makes the signed request of one attempt.
func newRequest(ctx context.Context, t *target, e *webhook.Event, now time.Time) *http.Request {
	const room = 256 // for all of the envelope but the data
	body, contentType := t.format.AppendBody(make([]byte, 0, len(e.Data)+room), e, t.bodySecret)
	header := make(http.Header, 8)
	header["Content-Type"] = []string{contentType}
	header["User-Agent"] = []string{userAgent}
	if e.TraceParent != "" {
		header["Traceparent"] = []string{e.TraceParent}
	}
	webhook.SetHeaders(header, t.signers, e.ID, now, body)
	req := &http.Request{
		Method:        http.MethodPost,
		URL:           t.url,
		Host:          t.url.Host,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        header,
		Body:          io.NopCloser(bytes.NewReader(body)),
		ContentLength: int64(len(body)),
		GetBody: func() (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(body)), nil
		},
	}
	return req.WithContext(ctx)
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
