package receiver

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/manysends/caddy-webhooks/webhook"
)

// worldpayScheme is Event-Signature: a list of {keyId}/{hashFunction}/{signature},
// each an HMAC over the body
// (developer.worldpay.com/products/access/events/signature).
type worldpayScheme struct{ keys sharedKeys }

func newWorldpayScheme(o schemeOptions) (scheme, error) {
	keys, err := newSharedKeys(o, "raw")
	if err != nil {
		return nil, err
	}
	return worldpayScheme{keys}, nil
}

// maxWorldpaySignatures is how many signatures of a list are tried.
const maxWorldpaySignatures = 8

func (s worldpayScheme) verify(_ context.Context, in *inbound) (proof, error) {
	list, err := oneHeader(in.request, "Event-Signature")
	if err != nil {
		return proof{}, err
	}
	tried := 0
	for element := range strings.SplitSeq(list, ",") {
		_, rest, _ := strings.Cut(strings.TrimSpace(element), "/")
		algorithm, text, _ := strings.Cut(rest, "/")
		signature, err := hex.DecodeString(text)
		if err != nil || !strings.EqualFold(algorithm, "SHA256") {
			continue
		}
		if tried++; tried > maxWorldpaySignatures {
			break
		}
		if i := s.keys.match(sha256.New, signature, in.body); i >= 0 {
			proven := proof{secret: i, content: [2][]byte{in.body}}
			if o, broken := readObject(in.body, "eventId"); broken == nil {
				proven.id, _ = o.text("eventId")
			}
			return proven, nil
		}
	}
	if tried == 0 {
		return proof{}, fmt.Errorf("%w: Event-Signature holds no SHA256 signature in hex", webhook.ErrSignatureMismatch)
	}
	return proof{}, errUnsigned("this body")
}
