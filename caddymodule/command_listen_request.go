package caddymodule

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/manysends/caddy-webhooks/diagnose"
	"github.com/manysends/caddy-webhooks/receiver"
)

// The verdicts on a request that was listened to.
const (
	verdictAuthentic    = "authentic"
	verdictDuplicate    = "duplicate"
	verdictHandshake    = "handshake"
	verdictNotAuthentic = "not_authentic"
	verdictRefused      = "refused" // for its method or its size
	verdictUnverified   = "unverified"
)

// listened is a request that was received, as it is shown.
type listened struct {
	Time         time.Time             `json:"time"`
	Remote       string                `json:"remote"`
	Method       string                `json:"method"`
	URL          string                `json:"url"`
	Headers      map[string]string     `json:"headers"`
	Body         string                `json:"body"`
	BodyBase64   []byte                `json:"body_base64,omitempty"` // where the body is no UTF-8
	Verdict      string                `json:"verdict"`
	Reason       receiver.Reason       `json:"reason,omitempty"`
	ID           string                `json:"id,omitempty"`
	Type         string                `json:"type,omitempty"`
	Secret       *int                  `json:"secret_index,omitempty"`
	Explanation  *diagnose.Explanation `json:"explanation,omitempty"`
	Status       int                   `json:"status"`
	Milliseconds float64               `json:"duration_ms"`
	Problem      string                `json:"problem,omitempty"` // why it was not passed on

	body []byte
}

// observedKey is where a request's context has what was observed of it.
type observedKey struct{}

// observeListened notes what a receiver has found out.
func observeListened(r *http.Request, seen receiver.Observation) {
	if into, ok := r.Context().Value(observedKey{}).(*receiver.Observation); ok {
		*into = seen
	}
}

// ServeHTTP receives a webhook.
func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := l.now()
	shown := &listened{Time: began, Remote: r.RemoteAddr, Method: r.Method, URL: r.URL.RequestURI(), Headers: flat(r.Header)}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxListened))
	if err != nil {
		shown.Verdict, shown.Status = verdictRefused, http.StatusBadRequest
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			shown.Status = http.StatusRequestEntityTooLarge
		}
		shown.Problem = fmt.Sprintf("the body could not be read: %v", err)
		w.WriteHeader(shown.Status)
		l.show(shown, began)
		return
	}
	shown.body = body
	r.Body = io.NopCloser(bytes.NewReader(body))
	answer := &statusWriter{ResponseWriter: w}
	if l.receiver == nil {
		shown.Verdict = verdictUnverified
		l.answer(answer, r, shown)
	} else {
		l.receive(answer, r, shown)
	}
	if shown.Status = answer.status; shown.Status == 0 {
		shown.Status = http.StatusOK // as net/http has it
	}
	l.show(shown, began)
}

// receive answers a request as a receiver does.
func (l *listener) receive(w http.ResponseWriter, r *http.Request, shown *listened) {
	seen := receiver.Observation{SecretIndex: -1}
	original := r.Clone(context.WithoutCancel(r.Context())) // the receiver may change it
	r = r.WithContext(context.WithValue(r.Context(), observedKey{}, &seen))
	err := l.receiver.Handle(w, r, func(w http.ResponseWriter, r *http.Request) error {
		l.answer(w, r, shown)
		return nil
	})
	shown.ID, shown.Type, shown.Reason = seen.ID, seen.Type, seen.Reason
	if seen.SecretIndex >= 0 {
		shown.Secret = &seen.SecretIndex
	}
	refusal, refused := errors.AsType[*receiver.Refusal](err)
	switch {
	case seen.Handshake:
		shown.Verdict = verdictHandshake
	case seen.Duplicate:
		shown.Verdict = verdictDuplicate
	case !refused:
		shown.Verdict = verdictAuthentic
	case refusal.Status == http.StatusUnauthorized || refusal.Status == http.StatusServiceUnavailable:
		shown.Verdict = verdictNotAuthentic
		if e, err := receiver.Explain(l.cfg, original, shown.body, shown.Time); err == nil {
			shown.Explanation = &e
		}
	default:
		shown.Verdict = verdictRefused
		shown.Problem = refusal.Error()
	}
	if refused {
		http.Error(w, http.StatusText(refusal.Status), refusal.Status)
	}
}

// answer answers what is to be taken for a good request.
func (l *listener) answer(w http.ResponseWriter, r *http.Request, shown *listened) {
	if err := l.wait(r); err != nil {
		shown.Problem = err.Error()
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	switch {
	case l.answerFails():
		shown.Problem = "it was answered so because of --fail"
		http.Error(w, "failing, as it was asked to", http.StatusInternalServerError)
	case l.forward != nil:
		if err := l.passOn(w, r); err != nil {
			shown.Problem = fmt.Sprintf("it could not be passed on: %v", err)
			http.Error(w, http.StatusText(http.StatusBadGateway), http.StatusBadGateway)
		}
	default:
		w.WriteHeader(l.status)
	}
}

// hopByHop are headers of one connection: RFC 9110, section 7.6.1.
var hopByHop = []string{"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Content-Length"}

// passOn sends the request to the application, and the answer back.
func (l *listener) passOn(w http.ResponseWriter, r *http.Request) error {
	body, err := io.ReadAll(r.Body) // which the receiver may have decompressed
	if err != nil {
		return err
	}
	target := *l.forward
	if target.RawQuery == "" {
		target.RawQuery = r.URL.RawQuery
	}
	out, err := http.NewRequestWithContext(r.Context(), r.Method, target.String(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	out.Header = r.Header.Clone()
	for _, name := range hopByHop {
		out.Header.Del(name)
	}
	resp, err := l.client.Do(out)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	header := w.Header()
	for name, values := range resp.Header {
		header[name] = values
	}
	for _, name := range hopByHop {
		header.Del(name)
	}
	w.WriteHeader(resp.StatusCode)
	_, err = io.Copy(w, resp.Body)
	if err != nil {
		return nil //nolint:nilerr // the status has been sent, and the sender sees that the rest is missing
	}
	return nil
}

// statusWriter notes the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader notes the final status.
func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// show shows a request that was answered.
func (l *listener) show(shown *listened, began time.Time) {
	shown.Milliseconds = float64(l.now().Sub(began).Microseconds()) / 1000
	l.mu.Lock()
	defer l.mu.Unlock()
	l.out.show(shown)
}
