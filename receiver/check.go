package receiver

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/manysends/caddy-webhooks/internal/unread"
)

// checkOutside checks what can be told without the body. It tells whether the
// client need not be made known if its request is authentic.
func (rc *Receiver) checkOutside(w http.ResponseWriter, r *http.Request, seen *Observation) (known bool, refusal *Refusal) {
	if r.Method != http.MethodPost && rc.enforce && !rc.provider.handshake.takes(r.Method) {
		return false, wrongMethod()
	}
	if r.ContentLength > rc.maxSize {
		return false, tooLarge(rc.maxSize)
	}
	if rc.ipRate == nil {
		return true, nil
	}
	wish := [1]demand[clientKey]{{key: keyOfClient(rc.clientIP(r)), rate: *rc.ipRate}}
	refused := rc.state.ip.allow(wish[:])
	if rc.enforce {
		h := w.Header()
		h[headerRateLimitPolicy] = rc.policy
		if len(rc.rates) == 0 || refused >= 0 {
			var room [64]byte
			h[headerRateLimit] = []string{string(appendRateLimit(room[:0], limitByIP, &wish[0]))}
		}
	}
	if refused < 0 {
		return wish[0].known, nil
	}
	rc.series().ipRefusals.Inc()
	refusal = overRate(ReasonIPRate, wish[0].wait)
	if rc.overlook(r, seen, refusal) {
		return true, nil
	}
	return false, refusal
}

// found is what the inside of a request has shown.
type found struct {
	proof     proof
	authentic bool      // the signature is right
	proven    bool      // and so is its age
	inflated  bool      // the body was compressed, and is not any more
	began     time.Time // when it was there
	reply     *reply    // the answer to a handshake
}

// took counts how long it took to check a body, if there was one.
func (rc *Receiver) took(f *found) {
	if !f.began.IsZero() {
		rc.series().seconds.Observe(rc.now().Sub(f.began).Seconds())
	}
}

// checkInside reads the body into buffer and checks all that depends on it.
func (rc *Receiver) checkInside(w http.ResponseWriter, r *http.Request, buffer *bodyBuffer, seen *Observation) (f found, refusal *Refusal) {
	if refusal := buffer.read(r.Body, rc.maxSize); refusal != nil {
		unread.Discard(w, r, rc.maxSize, true)
		return f, refusal
	}
	f.began = rc.now()
	if rc.decompresses() {
		if f.inflated, refusal = rc.inflate(r, buffer, seen); refusal != nil {
			return f, refusal
		}
	}
	ring := rc.ring.Load()
	handshake := &rc.provider.handshake
	if handshake.post != nil {
		f.reply = handshake.post(&greeted{request: r, body: buffer.bytes, parameters: rc.config.Parameters, secret: ring.secret(0)})
		if f.reply != nil {
			return f, nil
		}
	}
	in := &inbound{request: r, url: rc.config.URL, body: buffer.bytes, now: f.began, tolerance: rc.tolerance}
	var err error
	f.proof, err = ring.scheme.verify(r.Context(), in)
	if err == nil || isAboutTime(err) {
		f.authentic, f.proven = true, err == nil
		rc.note(r, seen, &f.proof, buffer.bytes)
	}
	if f.proven {
		f.reply, err = rc.meet(ring, in, &f.proof)
	}
	if err != nil {
		refusal = notAuthentic(err)
		if !rc.overlook(r, seen, refusal) {
			return f, refusal
		}
	}
	if !f.authentic || f.reply != nil {
		return f, nil
	}
	return f, rc.checkRates(w, r, seen)
}

// meet answers an authentic request if it is a handshake.
func (rc *Receiver) meet(ring *keyring, in *inbound, proven *proof) (*reply, error) {
	if greet := rc.provider.handshake.signed; greet != nil {
		answer := greet(&greeted{request: in.request, body: in.body, parameters: rc.config.Parameters, secret: ring.secret(proven.secret)})
		if answer != nil {
			return answer, nil
		}
	}
	if ring.challenge == nil {
		return nil, nil
	}
	handled, err := ring.challenge(in.request.Context(), in, *proven)
	if !handled || err != nil {
		return nil, err
	}
	return new(reply), nil
}

// inflate replaces the content of buffer by what it stands for, and tells
// whether it did.
func (rc *Receiver) inflate(r *http.Request, buffer *bodyBuffer, seen *Observation) (done bool, refusal *Refusal) {
	from := codingOf(r.Header)
	switch from {
	case codingNone:
		return false, nil
	case codingUnknown:
		refusal = unknownCoding()
	default:
		whole := bodyBuffers.Get().(*bodyBuffer)
		defer whole.free()
		refusal = whole.inflate(buffer.bytes, from, rc.maxSize)
		if refusal == nil {
			buffer.bytes, whole.bytes = whole.bytes, buffer.bytes
			return true, nil
		}
	}
	if refusal.Reason != ReasonTooLarge && rc.overlook(r, seen, refusal) {
		return false, nil
	}
	return false, refusal
}

// note notes what an authentic request says of itself.
func (rc *Receiver) note(r *http.Request, seen *Observation, proven *proof, body []byte) {
	seen.SecretIndex = proven.secret
	seen.Timestamp = proven.timestamp
	seen.ID = proven.id
	if seen.ID == "" {
		seen.ID = rc.provider.id.of(r)
	}
	seen.Type = proven.eventType
	if seen.Type == "" && (rc.observe != nil || rc.config.Headers) {
		seen.Type = typeOf(body, rc.provider.eventType.member)
	}
}

// checkRates takes a token from each of the limits for authentic requests.
func (rc *Receiver) checkRates(w http.ResponseWriter, r *http.Request, seen *Observation) *Refusal {
	if len(rc.rates) == 0 {
		return nil
	}
	var room [2]demand[sourceKey]
	wishes := room[:0]
	for i, limit := range rc.rates {
		wishes = append(wishes, demand[sourceKey]{key: newSourceKey(i, rc.source(r, i)), rate: limit})
	}
	refused, err := rc.allow(r.Context(), wishes)
	if err != nil {
		refusal := unavailable(err)
		if rc.overlook(r, seen, refusal) {
			return nil
		}
		return refusal
	}
	if rc.enforce {
		var room [128]byte
		text := room[:0]
		for i := range wishes {
			text = appendRateLimit(text, limitByRate+strconv.Itoa(i), &wishes[i])
		}
		h := w.Header()
		h[headerRateLimitPolicy] = rc.policy
		h[headerRateLimit] = []string{string(text)}
	}
	if refused < 0 {
		return nil
	}
	rc.series().refusals[refused].Inc()
	refusal := overRate(ReasonRate, wishes[refused].wait)
	if rc.overlook(r, seen, refusal) {
		return nil
	}
	return refusal
}

// allow takes a token for each demand, where the limits are shared from what
// all have together.
func (rc *Receiver) allow(ctx context.Context, demands []demand[sourceKey]) (refused int, err error) {
	if shared := rc.state.shared; shared != nil {
		counted, refused, err := shared.limit(ctx, rc.keys, demands)
		if counted {
			return refused, err
		}
	}
	return rc.state.source.allow(demands), nil
}

func wrongMethod() *Refusal {
	return &Refusal{Status: http.StatusMethodNotAllowed, Reason: ReasonMethod, Err: errors.New("the method is not POST")}
}
