package postgresstore

import (
	"encoding/binary"
	"errors"
	"math"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/internal/stored"
	"github.com/manysends/caddy-webhooks/webhook"
)

// An attempt is kept as one value: the version; the number, the time it began in
// milliseconds since 1970, the duration, the status code, the verdict and the
// length of the error as varints; the error; and the detail, as package stored
// writes it. The body is kept beside it, since lists do without.

// attemptVersion begins an attempt.
const attemptVersion = 1

// errAttempt means that an attempt cannot be read.
var errAttempt = errors.New("an attempt is damaged")

// encodeAttempt writes an attempt without its body.
func encodeAttempt(a *sender.Attempt) []byte {
	b := make([]byte, 1, 64+len(a.Error))
	b[0] = attemptVersion
	for _, n := range [...]int64{int64(a.Number), a.StartedAt.UnixMilli(), int64(a.Duration), int64(a.StatusCode), int64(a.Verdict), int64(len(a.Error))} {
		b = binary.AppendVarint(b, n)
	}
	b = append(b, a.Error...)
	if stored.HasDetail(a) {
		b = stored.AppendDetail(b, a)
	}
	return b
}

// decodeAttempt reads an attempt; without the headers when brief is set.
func decodeAttempt(b []byte, brief bool) (a sender.Attempt, err error) {
	if len(b) == 0 || b[0] != attemptVersion {
		return a, errAttempt
	}
	var fields [6]int64
	rest := b[1:]
	for i := range fields {
		n, size := binary.Varint(rest)
		if size <= 0 {
			return a, errAttempt
		}
		fields[i], rest = n, rest[size:]
	}
	number, code, verdict, length := fields[0], fields[3], fields[4], fields[5]
	if number < 1 || number > math.MaxInt32 || length < 0 || length > int64(len(rest)) || verdict < 0 || verdict > math.MaxUint8 {
		return a, errAttempt
	}
	a = sender.Attempt{
		Number: int(number), StartedAt: time.UnixMilli(fields[1]).UTC(), Duration: webhook.Duration(fields[2]),
		StatusCode: int(code), Verdict: sender.Verdict(verdict), Error: string(rest[:length]),
	}
	return a, stored.DecodeDetail(&a, rest[length:], brief)
}

// attemptBytes is about how much room an attempt takes up.
func attemptBytes(attempt, body []byte) int64 {
	if attempt == nil {
		return 0
	}
	return int64(len(attempt) + len(body))
}

// optional is nil for nothing, so that it is kept as NULL.
func optional(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}
