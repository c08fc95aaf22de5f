package receiver

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/manysends/caddy-webhooks/webhook"
)

// payosScheme is the member "signature" of a payOS body: the hex of an
// HMAC-SHA256 over the members of "data", written as name=value, sorted and
// joined with ampersands (payos.vn/docs/tich-hop-webhook/kiem-tra-du-lieu-voi-signature).
type payosScheme struct{ keys sharedKeys }

func newPayOSScheme(o schemeOptions) (scheme, error) {
	keys, err := newSharedKeys(o, "raw")
	if err != nil {
		return nil, err
	}
	return payosScheme{keys}, nil
}

// maxPayOSMembers is how many members "data" may have.
const maxPayOSMembers = 64

func (s payosScheme) verify(_ context.Context, in *inbound) (proof, error) {
	outer, err := readObject(in.body, "data", "signature")
	if err != nil {
		return proof{}, err
	}
	text, ok := outer.text("signature")
	if !ok || !outer.has("data") {
		return proof{}, fmt.Errorf("%w: the body must have the members \"data\" and \"signature\"", webhook.ErrSignatureMissing)
	}
	signature, err := hex.DecodeString(text)
	if err != nil {
		return proof{}, fmt.Errorf("%w: the signature is not hex", webhook.ErrSignatureMismatch)
	}
	var data map[string]jsontext.Value
	if err := json.Unmarshal(outer["data"], &data); err != nil || len(data) == 0 || len(data) > maxPayOSMembers {
		return proof{}, fmt.Errorf("%w: \"data\" must be an object of 1 to %d members", webhook.ErrSignatureMismatch, maxPayOSMembers)
	}
	// Once more, for what only differs in case.
	if _, err := readObject(outer["data"], slices.Collect(maps.Keys(data))...); err != nil {
		return proof{}, err
	}
	content, err := appendPayOS(nil, data)
	if err != nil {
		return proof{}, err
	}
	i := s.keys.match(sha256.New, signature, content)
	if i < 0 {
		return proof{}, errUnsigned("the members of \"data\"")
	}
	return proof{secret: i, content: [2][]byte{content}}, nil
}

var (
	payosName = regexp.MustCompile(`^[A-Za-z0-9_]{1,64}$`)

	// payosNumber are the numbers that all languages write in the same way.
	payosNumber = regexp.MustCompile(`^(0|-?[1-9][0-9]{0,14})$`)

	// payosJoint is what a value must not hold, or it could be read as the end
	// of one member and the start of the next.
	payosJoint = regexp.MustCompile(`&[A-Za-z0-9_]+=`)
)

// appendPayOS appends what is signed. Errors wrap
// [webhook.ErrSignatureMismatch].
func appendPayOS(dst []byte, data map[string]jsontext.Value) ([]byte, error) {
	for i, name := range slices.Sorted(maps.Keys(data)) {
		value, ok := payosText(data[name])
		if !ok || !payosName.MatchString(name) || payosJoint.MatchString(value) {
			return nil, fmt.Errorf("%w: a member of \"data\" has a name or a value that could be signed in more than one way", webhook.ErrSignatureMismatch)
		}
		if i > 0 {
			dst = append(dst, '&')
		}
		dst = append(append(append(dst, name...), '='), value...)
	}
	return dst, nil
}

// payosText is a value as it is signed.
func payosText(v jsontext.Value) (text string, ok bool) {
	switch v.Kind() {
	case 'n':
		return "", true
	case 't', 'f':
		return string(v), true
	case '0':
		return string(v), payosNumber.Match(v)
	case '"':
		plain, err := jsontext.AppendUnquote(nil, v)
		text = string(plain)
		if text == "null" || text == "undefined" {
			text = "" // as payOS's libraries do
		}
		return text, err == nil
	}
	return "", false
}
