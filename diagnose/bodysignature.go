package diagnose

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"

	"github.com/manysends/caddy-webhooks/webhook"
)

// bodySignature says what the signature member of a body proves, if it has one.
func bodySignature(e *Explanation, s *standardKeys, body []byte, verdict error) {
	if !bytes.Contains(body, []byte(`"sha256=`)) || len(s.secrets) == 0 {
		return
	}
	i, err := webhook.VerifyBody(s.secrets, body)
	switch {
	case err == nil && (verdict == nil || isAboutTime(verdict)):
		e.add(checkBodySignature, true, fmt.Sprintf("The signature member of the body is right as well, made with secret %d.", i+1))
	case err == nil:
		e.add(checkBodySignature, true, fmt.Sprintf("The signature member of the body is right, made with secret %d: the secret and the body are as they should be.", i+1))
		if e.Mistake == MistakeUnknown {
			e.Mistake = MistakeIDDifferent
			e.Cause = "The body and the secret are right, as the body's own signature shows; so the ID, the timestamp or the signature in the headers was changed."
			e.Remedy = "Look for what rewrites the headers webhook-id, webhook-timestamp and webhook-signature on the way."
		}
	case verdict == nil:
		e.add(checkBodySignature, false, "The signature member of the body was not made with a secret that was given, although the header's was: that may be so while secrets are changed.")
	case errors.Is(err, webhook.ErrSignatureMissing):
		e.add(checkBodySignature, false, "The body has a signature member, but not as its very last bytes, where it was put: the body was changed.")
	default:
		e.add(checkBodySignature, false, "The signature member of the body does not match either: the secret is another one, or the body was changed.")
	}
}

// Beginning and end of the signature member, as package webhook writes it.
const (
	memberOpen  = `,"signature":"sha256=`
	memberClose = `"}`
)

// Body explains a body that should have the signature member of ManySends as its
// last one, made with any of the secrets ("whsec_"). Verified is set exactly if
// [webhook.VerifyBody] accepts it. The header is that of the request, for its
// Content-Length; it may be nil.
func Body(secrets []string, header http.Header, body []byte) Explanation {
	keys := readStandard(secrets)
	_, verdict := webhook.VerifyBody(keys.secrets, body)
	rule := &Rule{
		Algorithm: "hmac-sha256", Secrets: keys.shared, Key: formStandard, Encoding: "hex",
		Place: "the member signature of the body", Header: header,
		Content: func(v Values) ([]byte, error) { return signedPart(v.Body), nil },
		Values:  Values{Body: body},
	}
	if list := memberSignature(body); list != "" {
		rule.Signatures = []string{list}
	}
	e := rule.Explain(verdict)
	if len(keys.refused) > 0 && e.Mistake == MistakeUnknown {
		e.Mistake, e.Cause = keys.mistake, keys.refused[0]
	}
	if e.Mistake == MistakeUnknown && errors.Is(verdict, webhook.ErrSignatureMissing) && len(rule.Signatures) > 0 {
		e.Mistake = MistakeBodyReserialised
		e.Cause = "The signature member is not the very last of the body, where it was put: the body was written anew, with changes that cannot be told."
		e.Remedy = rawRemedy
	}
	return e
}

// signedPart is the part of a body that its signature member covers: without
// that member.
func signedPart(body []byte) []byte {
	i := bytes.LastIndex(body, []byte(memberOpen))
	if i < 0 || !bytes.HasSuffix(body, []byte(memberClose)) {
		return body
	}
	return append(bytes.Clone(body[:i]), '}')
}

// memberSignature is the hex in the signature member, wherever it is in a body.
func memberSignature(body []byte) string {
	const mark = `"sha256=`
	i := bytes.LastIndex(body, []byte(mark))
	if i < 0 {
		return ""
	}
	text := body[i+len(mark):]
	end := bytes.IndexByte(text, '"')
	if end < 0 || end > maxText {
		return ""
	}
	return string(text[:end])
}
