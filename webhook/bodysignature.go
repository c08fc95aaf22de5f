package webhook

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
)

// The member that [SignBody] puts at the end of a body. Its length is fixed,
// which is what makes the byte cut possible.
const (
	bodySignatureOpen  = `,"signature":"sha256=`
	bodySignatureClose = `"}`

	// BodySignatureLength is how many bytes [VerifyBody] cuts from the end of
	// a body before it puts the closing brace back: 87.
	BodySignatureLength = len(bodySignatureOpen) + 2*sha256.Size + len(bodySignatureClose)
)

// closingBrace ends the body that was signed.
var closingBrace = []byte{'}'}

// SignBody returns body with a signature member added as its last one, and may
// reuse body's memory. The body must be a JSON object with at least one
// member, ending in its closing brace; the signature is the lower-case hex of
// HMAC-SHA256 over body as given. What does not end in a closing brace has no
// place for the member and is returned as it is.
//
// To check it without this package: cut the last 87 bytes off the body as it
// was received, append "}", and compare HMAC-SHA256 over that with the hex
// between "sha256=" and the closing quote.
func SignBody(body []byte, s *Secret) []byte {
	if !bytes.HasSuffix(body, closingBrace) {
		return body
	}
	m := s.macs.Get().(*macState)
	sum := m.mac(body, nil)
	body = append(body[:len(body)-1], bodySignatureOpen...)
	body = hex.AppendEncode(body, sum)
	body = append(body, bodySignatureClose...)
	s.macs.Put(m)
	return body
}

// VerifyBody checks the signature member at the end of body with each secret
// in turn and returns the index of the one that matched. The member must be
// the very last, as [SignBody] puts it: white space after it, or upper-case
// hex, is refused. Errors wrap [ErrSignatureMissing] or [ErrSignatureMismatch].
func VerifyBody(secrets []*Secret, body []byte) (int, error) {
	// A first member is needed besides the signature: "{" alone is too short.
	cut := len(body) - BodySignatureLength
	if cut < len(`{"":0`) || body[0] != '{' || !bytes.HasPrefix(body[cut:], []byte(bodySignatureOpen)) || !bytes.HasSuffix(body, []byte(bodySignatureClose)) {
		return -1, fmt.Errorf("%w: the body must end with the member \"signature\":\"sha256=<64 hex digits>\" and nothing after its closing brace", ErrSignatureMissing)
	}
	got := body[cut+len(bodySignatureOpen) : len(body)-len(bodySignatureClose)]
	var room [2 * sha256.Size]byte
	for i, s := range secrets {
		m := s.macs.Get().(*macState)
		want := hex.AppendEncode(room[:0], m.mac(body[:cut], closingBrace))
		s.macs.Put(m)
		if subtle.ConstantTimeCompare(got, want) == 1 {
			return i, nil
		}
	}
	return -1, fmt.Errorf("%w: the signature member was not made with a configured secret over the rest of the body", ErrSignatureMismatch)
}
