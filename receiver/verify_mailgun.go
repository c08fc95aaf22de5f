package receiver

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/manysends/caddy-webhooks/webhook"
)

// mailgunScheme is the member "signature" of a Mailgun body: the hex of an
// HMAC-SHA256 over its own timestamp and token. It covers nothing of the event
// (documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks).
type mailgunScheme struct{ keys sharedKeys }

func newMailgunScheme(o schemeOptions) (scheme, error) {
	keys, err := newSharedKeys(o, "raw")
	if err != nil {
		return nil, err
	}
	return mailgunScheme{keys}, nil
}

func (s mailgunScheme) verify(_ context.Context, in *inbound) (proof, error) {
	outer, err := readObject(in.body, "signature", "event-data")
	if err != nil {
		return proof{}, err
	}
	if !outer.has("signature") {
		return proof{}, fmt.Errorf("%w: the body has no member \"signature\"", webhook.ErrSignatureMissing)
	}
	o, err := readObject(outer["signature"], "timestamp", "token", "signature")
	if err != nil {
		return proof{}, err
	}
	timestamp, ok1 := o.text("timestamp")
	token, ok2 := o.text("token")
	text, ok3 := o.text("signature")
	if !ok1 || !ok2 || !ok3 || token == "" {
		return proof{}, fmt.Errorf("%w: the member \"signature\" must hold timestamp, token and signature as strings", webhook.ErrSignatureMissing)
	}
	// Nothing separates the two, so a digit must not pass from one to the other:
	// a timestamp in seconds has ten until the year 2286.
	if len(timestamp) != 10 || strings.Trim(timestamp, "0123456789") != "" {
		return proof{}, fmt.Errorf("%w: the timestamp must be Unix seconds in 10 digits", webhook.ErrSignatureMismatch)
	}
	signature, err := hex.DecodeString(text)
	if err != nil {
		return proof{}, fmt.Errorf("%w: the signature is not hex", webhook.ErrSignatureMismatch)
	}
	i := s.keys.match(sha256.New, signature, []byte(timestamp), []byte(token))
	if i < 0 {
		return proof{}, errUnsigned("timestamp and token")
	}
	at, err := webhook.CheckTimestamp(timestamp, in.now, in.tolerance)
	proven := proof{secret: i, timestamp: at, id: token}
	if event, broken := readObject(outer["event-data"], "event"); broken == nil {
		proven.eventType, _ = event.text("event")
	}
	return proven, err
}
