package caddymodule

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"strconv"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// publishingWriter is what the handlers after a [responsePublisher] write their
// answer to. It holds back the answer's head until its events are stored, and the
// body only where that is their data.
type publishingWriter struct {
	*caddyhttp.ResponseWriterWrapper
	publisher *responsePublisher
	request   *http.Request
	before    http.Header // those that were set before the application answered

	state    answerState
	status   int
	contents eventHeaders
	body     bytes.Buffer
}

// answerState is how far an answer has come.
type answerState int

const (
	answerAwaited  answerState = iota
	answerHeld                 // its body is the data of an event
	answerPassed               // it goes straight to the client
	answerReplaced             // the client was told of an error instead
)

// WriteHeader takes the events from a final answer's head.
func (w *publishingWriter) WriteHeader(status int) {
	if w.state != answerAwaited {
		return
	}
	if status >= 100 && status < 200 {
		w.inform(status)
		return
	}
	w.status = status
	header := w.Header()
	var err error
	w.contents, err = readEventHeaders(header)
	removeEventHeaders(header)
	switch {
	case err != nil:
		w.fail(err)
	case w.contents.none():
		w.letThrough()
	case len(w.contents.fromBody) == 0:
		w.publish()
	case w.request.Method == http.MethodHead:
		w.publisher.log.Warn("an answer to HEAD has no body to publish", slog.String("path", w.request.URL.Path))
		w.letThrough()
	default:
		w.state = answerHeld
		if n, err := strconv.ParseInt(header.Get("Content-Length"), 10, 64); err == nil && n > w.publisher.maxSize {
			w.fail(w.tooLarge())
		}
	}
}

// inform passes on an answer that is not the final one, without what is about
// events, and leaves that for the final one. After 101 none comes.
func (w *publishingWriter) inform(status int) {
	header := w.Header()
	whole := maps.Clone(header)
	removeEventHeaders(header)
	w.ResponseWriterWrapper.WriteHeader(status)
	if status == http.StatusSwitchingProtocols {
		w.state = answerPassed
		return
	}
	for name, values := range whole {
		if isEventHeader(name) || name == "Trailer" {
			header[name] = values
		}
	}
}

// letThrough sends the head, and what there is of the body; the rest follows.
func (w *publishingWriter) letThrough() {
	w.state = answerPassed
	w.ResponseWriterWrapper.WriteHeader(w.status)
	if w.body.Len() > 0 {
		_, _ = w.ResponseWriterWrapper.Write(w.body.Bytes()) // the client may be gone
		w.body = bytes.Buffer{}
	}
}

// publish stores the events and lets the answer through.
func (w *publishingWriter) publish() {
	events, err := w.contents.events(w.Header(), w.body.Bytes(), w.publisher.maxSize)
	if err == nil {
		err = w.publisher.publish(w.request, events)
	}
	if err != nil {
		w.fail(err)
		return
	}
	w.letThrough()
}

// fail does what is to be done when an event cannot be published.
func (w *publishingWriter) fail(err error) {
	w.publisher.log.Error("the event of an answer was not published",
		slog.String("method", w.request.Method), slog.String("path", w.request.URL.Path), slog.Int("status", w.status),
		slog.Bool("passed", w.publisher.pass), slog.Any("error", err))
	if w.publisher.pass {
		w.letThrough()
		return
	}
	w.state = answerReplaced
	w.body = bytes.Buffer{}
	w.forget()
	w.publisher.refuse(w.ResponseWriterWrapper, w.request, err)
}

// forget removes what the application has set in the answer's head, and what is
// about events there, whoever has set it: the directive header comes before.
func (w *publishingWriter) forget() {
	header := w.Header()
	clear(header)
	maps.Copy(header, w.before)
	removeEventHeaders(header)
}

func (w *publishingWriter) tooLarge() error {
	return fmt.Errorf("%w: its body is larger than %d bytes: say the data in Webhook-Event, or raise max_size", errAnswer, w.publisher.maxSize)
}

// Write takes a part of the body.
func (w *publishingWriter) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.state == answerHeld && int64(w.body.Len()+len(b)) > w.publisher.maxSize {
		w.fail(w.tooLarge())
	}
	switch w.state {
	case answerHeld:
		return w.body.Write(b)
	case answerReplaced:
		return len(b), nil
	}
	return w.ResponseWriterWrapper.Write(b)
}

// ReadFrom takes the body, or the rest of it.
func (w *publishingWriter) ReadFrom(r io.Reader) (int64, error) {
	w.WriteHeader(http.StatusOK)
	if w.state == answerPassed {
		return w.ResponseWriterWrapper.ReadFrom(r)
	}
	return io.Copy(struct{ io.Writer }{w}, r)
}

// FlushError sends what was written so far, unless it is held back.
func (w *publishingWriter) FlushError() error {
	w.WriteHeader(http.StatusOK)
	if w.state != answerPassed {
		return nil
	}
	return http.NewResponseController(w.ResponseWriterWrapper).Flush()
}

// finish is called when the handlers after this one are done.
func (w *publishingWriter) finish(err error) error {
	switch {
	case err != nil && w.state == answerHeld:
		w.forget() // the answer has broken off, and another one comes in its place
	case err != nil:
	case w.state == answerAwaited && len(w.Header()[headerEvent]) > 0:
		w.WriteHeader(http.StatusOK)
		if w.state == answerHeld {
			w.publish()
		}
	case w.state == answerHeld:
		w.publish()
	}
	return err
}

// Interface guards
var (
	_ http.ResponseWriter = (*publishingWriter)(nil)
	_ io.ReaderFrom       = (*publishingWriter)(nil)
)
