package sender

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/manysends/caddy-webhooks/internal/unread"
	"github.com/manysends/caddy-webhooks/webhook"
)

// DefaultMaxSize is the default of [Intake.MaxSize]: 1 MiB.
const DefaultMaxSize = 1 << 20

// maxIdempotencyKey bounds the Idempotency-Key header.
const maxIdempotencyKey = 256

// Intake is the HTTP handler that applications post their events to. It
// answers 202 and {"id"} once the event is on disk, 200 and {"id"} when the
// same event had been published before, and problem details (RFC 9457)
// otherwise. Of a batch it answers an array of these. It does not ask who is calling: put it behind whatever does.
type Intake struct {
	// Sender returns the sender to publish to, or an error when there is none
	// for the time being, which is answered with 503.
	Sender func(context.Context) (*Sender, error)

	// MaxSize is how large a body may be, in bytes. Default: 1 MiB.
	MaxSize int64

	// Tenant says whose event a request publishes, whatever the body says; not
	// ok means that it is nobody's, and then the request is refused with 403.
	// Default: the body's tenant.
	Tenant func(*http.Request) (tenant string, ok bool)
}

// errNobody means that it is not known whose event a request publishes.
var errNobody = errors.New("it is not known whose event this is: sign in first")

var crossOrigin = http.NewCrossOriginProtection()

// ServeHTTP publishes the events in the request's body: one object, an array
// of up to 1,000, or as many on a line each (application/x-ndjson). A batch is
// accepted as a whole or not at all, and answered with an array.
func (i *Intake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	receipts, batch, status, err := i.publish(w, r)
	if err != nil {
		unread.Discard(w, r, 0, false)
		writeProblem(w, status, err.Error())
		return
	}
	w.Header()["Content-Type"] = []string{"application/json"}
	w.WriteHeader(status)
	_, _ = w.Write(appendReceipts(make([]byte, 0, 64*len(receipts)), receipts, batch)) // the client may be gone
}

// bodyRooms are buffers for bodies. What needed a large one is rare, so they
// stay small.
var bodyRooms = sync.Pool{New: func() any { return new([]byte) }}

const (
	// maxBodyRoom is the largest that is kept, in bytes.
	maxBodyRoom = 64 << 10

	// firstBodyRoom bounds, in bytes, what is made ready for a body of which
	// nothing has come yet. Clients that announce much and send little should not
	// take much memory.
	firstBodyRoom = 16 << 10
)

// read reads the events in the body. When it is not read to its end, it says
// with which status to answer.
func (i *Intake) read(w http.ResponseWriter, r *http.Request) (events []webhook.Event, batch bool, status int, err error) {
	room := bodyRooms.Get().(*[]byte)
	defer bodyRooms.Put(room)
	body, status, err := readBody(w, r, i.MaxSize, (*room)[:0])
	if err != nil {
		return nil, false, status, err
	}
	if cap(body) <= maxBodyRoom {
		*room = body
	}
	events, batch, err = parseEvents(body, formOf(r.Header.Get("Content-Type")))
	return events, batch, 0, err
}

// appendReceipts appends the answer to accepted events as JSON. An ID holds
// nothing that needs escaping.
func appendReceipts(dst []byte, receipts []Receipt, batch bool) []byte {
	if batch {
		dst = append(dst, '[')
	}
	for n, receipt := range receipts {
		if n > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"id":"`...)
		dst = append(dst, receipt.ID...)
		dst = append(dst, `"}`...)
	}
	if batch {
		dst = append(dst, ']')
	}
	return append(dst, '\n')
}

// publish does the work of ServeHTTP and says with which status to answer.
func (i *Intake) publish(w http.ResponseWriter, r *http.Request) (receipts []Receipt, batch bool, status int, err error) {
	if status, err := checkRequest(w, r); err != nil {
		return nil, false, status, err
	}
	s, unavailable := i.Sender(r.Context())
	if unavailable == nil {
		if err := s.busy(w, r, i.MaxSize); err != nil {
			status, err = s.refused(w, err)
			return nil, false, status, err
		}
	}
	events, batch, status, err := i.read(w, r)
	if status != 0 {
		return nil, false, status, err
	}
	if err == nil {
		err = i.complete(events, r, batch)
	}
	switch {
	case err != nil:
		if unavailable == nil {
			s.metrics.refused(refusedInvalid)
		}
		return nil, batch, publishStatus(err), err
	case unavailable != nil:
		w.Header().Set("Retry-After", "1")
		return nil, batch, http.StatusServiceUnavailable, unavailable
	}
	receipts, err = s.publish(r.Context(), events)
	if err != nil {
		status, err = s.refused(w, err)
		return nil, batch, status, err
	}
	for _, receipt := range receipts {
		if !receipt.Duplicate {
			return receipts, batch, http.StatusAccepted, nil
		}
	}
	return receipts, batch, http.StatusOK, nil
}

// checkRequest checks what can be told without the body.
func checkRequest(w http.ResponseWriter, r *http.Request) (status int, err error) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return http.StatusMethodNotAllowed, fmt.Errorf("the method %s is not allowed: publish events with POST", r.Method)
	}
	if err := crossOrigin.Check(r); err != nil {
		return http.StatusForbidden, errors.New("the request comes from a page of another origin: publish events from your server")
	}
	if err := checkContentType(r.Header.Get("Content-Type")); err != nil {
		return http.StatusUnsupportedMediaType, err
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return http.StatusUnsupportedMediaType, fmt.Errorf("the content encoding %q is not understood: send the body uncompressed", encoding)
	}
	return 0, nil
}

// complete adds to the events what the request says of them all.
func (i *Intake) complete(events []webhook.Event, r *http.Request, batch bool) error {
	tenant, known := "", true
	if i.Tenant != nil {
		tenant, known = i.Tenant(r)
	}
	if !known {
		return errNobody
	}
	key := r.Header.Get("Idempotency-Key")
	if len(key) > maxIdempotencyKey {
		return fmt.Errorf("%w: the Idempotency-Key header has %d bytes: use at most %d", ErrInvalid, len(key), maxIdempotencyKey)
	}
	parent := r.Header.Get("Traceparent")
	if !isTraceParent(parent) {
		parent = ""
	}
	for n := range events {
		e := &events[n]
		if i.Tenant != nil {
			e.Tenant = tenant
		}
		if key != "" && e.ID == "" {
			e.ID = idempotentID(key, n, batch)
		}
		e.TraceParent = parent
	}
	return nil
}

// refused says how to answer events that could not be taken in.
func (s *Sender) refused(w http.ResponseWriter, err error) (status int, _ error) {
	status = publishStatus(err)
	if status < http.StatusInternalServerError {
		return status, err
	}
	switch {
	case errors.Is(err, ErrBacklog):
		w.Header().Set("Retry-After", "10")
		return status, err
	case errors.Is(err, ErrBusy):
		w.Header().Set("Retry-After", "1")
		return status, err
	}
	w.Header().Set("Retry-After", "5")
	if !errors.Is(err, context.Canceled) { // the client has left: nothing is wrong
		s.log.Error("publishing failed", "error", err)
	}
	// The store's own words are for the log.
	if status == http.StatusInsufficientStorage {
		return status, errors.New("there is no room to store the event: publish it again later")
	}
	return status, errors.New("the event could not be stored: publish it again later")
}

// publishStatus is the HTTP status for an error of publishing.
func publishStatus(err error) int {
	switch {
	case errors.Is(err, errNobody):
		return http.StatusForbidden
	case errors.Is(err, errMalformed):
		return http.StatusBadRequest
	case errors.Is(err, ErrInvalid):
		return http.StatusUnprocessableEntity
	case errors.Is(err, ErrConflict):
		return http.StatusConflict
	case errors.Is(err, ErrStoreFull):
		return http.StatusInsufficientStorage
	}
	return http.StatusServiceUnavailable
}

// checkContentType accepts JSON, and what curl -d says when it is not told: the
// body must be JSON all the same.
func checkContentType(s string) error {
	switch s {
	case "", "application/json", "application/x-www-form-urlencoded":
		return nil
	}
	media, params, err := mime.ParseMediaType(s)
	if err == nil {
		charset := params["charset"]
		if charset != "" && !strings.EqualFold(charset, "utf-8") {
			return fmt.Errorf("the charset %q is not understood: send UTF-8", charset)
		}
		if media == "application/json" || media == "application/x-www-form-urlencoded" ||
			strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json") || formOf(media) == formLines {
			return nil
		}
	}
	return fmt.Errorf("the content type %q is not understood: send application/json", s)
}

// readBody reads the whole body, within the limit, or the default of it, into the
// room given if it is large enough. With an error it says with which status to
// answer.
func readBody(w http.ResponseWriter, r *http.Request, limit int64, body []byte) ([]byte, int, error) {
	limit = orDefault(limit, DefaultMaxSize)
	if r.ContentLength > limit {
		unread.Discard(w, r, limit, false)
		return nil, http.StatusRequestEntityTooLarge, errTooLarge(limit)
	}
	// The declared length is only believed as far as it is cheap.
	body = slices.Grow(body, int(min(max(r.ContentLength+1, 512), firstBodyRoom)))
	reader := http.MaxBytesReader(w, r.Body, limit)
	for {
		n, err := reader.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if err == io.EOF {
			return body, 0, nil
		}
		if err != nil {
			var over *http.MaxBytesError
			if errors.As(err, &over) {
				unread.Discard(w, r, limit, true)
				return nil, http.StatusRequestEntityTooLarge, errTooLarge(limit)
			}
			return nil, http.StatusBadRequest, errors.New("the body broke off: send it again, whole")
		}
		if len(body) == cap(body) {
			body = slices.Grow(body, moreRoom(len(body), r.ContentLength))
		}
	}
}

// moreRoom is how much more room to make for a body of which so much has come:
// for all that is declared, if that is not many times as much.
func moreRoom(read int, declared int64) int {
	const trust = 4
	if left := declared - int64(read) + 1; left > 0 { // one byte more, to see the end
		return int(min(left, trust*int64(read)))
	}
	return read
}

func errTooLarge(limit int64) error {
	return fmt.Errorf("the body is larger than %d bytes: send less, or raise max_size", limit)
}

// busy says that no event would be taken now, if that is so, before memory is
// spent on one. It takes the body away.
func (s *Sender) busy(w http.ResponseWriter, r *http.Request, limit int64) error {
	if !s.puts.full() {
		return nil
	}
	s.metrics.refused(refusedBusy)
	unread.Discard(w, r, orDefault(limit, DefaultMaxSize), false)
	return errBusy
}

// idempotentID makes the event ID that stands for an idempotency key, so that
// the same key is the same event, or the same batch of them.
func idempotentID(key string, index int, batch bool) string {
	if batch {
		key += "\n" + strconv.Itoa(index) // a header holds no line break
	}
	digest := sha256.Sum256([]byte(key))
	return "evt_" + hex.EncodeToString(digest[:16])
}

// isTraceParent tells whether s is a traceparent header of version 00 (W3C
// Trace Context, section 3.2.2).
func isTraceParent(s string) bool {
	if len(s) != 55 || s[:3] != "00-" || s[35] != '-' || s[52] != '-' {
		return false
	}
	return strings.Trim(s[3:35]+s[36:52]+s[53:], "0123456789abcdef") == ""
}
