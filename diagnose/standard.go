package diagnose

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// The versions of signatures in Standard Webhooks.
const (
	versionShared = "v1"
	versionPublic = "v1a"
)

// Standard explains a request that should have the headers of Standard Webhooks,
// made with any of the keys: secrets ("whsec_") and verifying keys ("whpk_") as
// they are shown to people. Where the body has a signature member at its end, as
// ManySends puts it there, that is explained as well.
//
// The header has the canonical names of net/http. A tolerance of zero or less
// accepts any age. Verified is set exactly if [webhook.Verify] accepts the
// request with those of the keys that can be read.
func Standard(keys []string, header http.Header, body []byte, now time.Time, tolerance time.Duration) Explanation {
	s := readStandard(keys)
	verified, verdict := webhook.Verify(s.verifiers, header, body, now, tolerance)

	rule := &Rule{
		Algorithm:       "hmac-sha256",
		Secrets:         s.shared,
		Key:             formStandard,
		Encoding:        "base64",
		Place:           "the header webhook-signature",
		Header:          header,
		IDPlace:         "the header webhook-id",
		TimestampPlace:  "the header webhook-timestamp",
		TimestampFormat: "unix",
		Values:          Values{Body: body, ID: only(header[webhook.HeaderID]), Timestamp: only(header[webhook.HeaderTimestamp])},
		Content:         standardContent,
		Now:             now,
		Tolerance:       tolerance,
	}
	rule.Signatures = elements(header[webhook.HeaderSignature], versionShared)
	if len(s.public) > 0 {
		if list := elements(header[webhook.HeaderSignature], versionPublic); len(s.shared) == 0 || len(list) > 0 && len(rule.Signatures) == 0 {
			rule.Secrets, rule.Public, rule.Signatures = nil, s.public, list
			rule.Algorithm = "ed25519"
		}
	}
	if verified.ID != "" { // the signature is right, whatever its age
		rule.Matched = s.names[verified.Key]
	}
	e := Explanation{Verified: verdict == nil}
	if len(s.refused) > 0 {
		for _, text := range s.refused {
			e.add(checkSecret, false, text)
		}
	}
	if !explainHeaders(&e, header) {
		bodySignature(&e, s, body, verdict)
		return e
	}
	inner := rule.Explain(verdict)
	if len(s.refused) > 0 { // said already, and better
		inner.Checks = dropChecks(inner.Checks, checkSecret)
	}
	inner.Checks = append(e.Checks, inner.Checks...)
	bodySignature(&inner, s, body, verdict)
	missing := inner.Mistake == MistakeSignatureMissing && only(header[webhook.HeaderSignature]) != ""
	if missing {
		inner.blameVersion(header, len(s.public) > 0 && len(s.shared) == 0)
	}
	if len(s.refused) > 0 && (inner.Mistake == MistakeUnknown || missing && len(s.verifiers) == 0) {
		inner.Mistake, inner.Cause = s.mistake, s.refused[0]
		inner.Remedy = "Give the secret of this endpoint as it is shown: whsec_ and base64, or whpk_ and base64 where it signs with Ed25519."
	}
	return inner
}

// blameVersion says that all signatures are of a version that no key is for.
func (e *Explanation) blameVersion(header http.Header, public bool) {
	other, kind, want := versionPublic, "Ed25519", "verifying key (whpk_)"
	if public {
		other, kind, want = versionShared, "HMAC", "secret (whsec_)"
	}
	if len(elements(header[webhook.HeaderSignature], other)) == 0 {
		return
	}
	e.Mistake = MistakeSecretKind
	e.Cause = fmt.Sprintf("The signature is of the version %s (%s), and none of the keys given is for that.", other, kind)
	e.Remedy = fmt.Sprintf("Give the %s of the sender, or have it sign with the key that you have.", want)
}

// standardContent is what Standard Webhooks signs.
func standardContent(v Values) ([]byte, error) {
	if v.ID == "" && v.Timestamp == "" {
		return nil, webhook.ErrSignatureMissing
	}
	return bytes.Join([][]byte{[]byte(v.ID), []byte(v.Timestamp), v.Body}, []byte{'.'}), nil
}

// standardKeys are keys that were read.
type standardKeys struct {
	verifiers []webhook.Verifier
	names     []string // of the verifiers
	secrets   []*webhook.Secret
	shared    []string // the secrets as they were given, also those that cannot be read
	public    []func(message, signature []byte) bool
	refused   []string // what is wrong with those that cannot be read
	mistake   Mistake  // of the first of these
}

// readStandard reads keys.
func readStandard(keys []string) *standardKeys {
	s := new(standardKeys)
	for i, text := range keys {
		key, err := webhook.ParseVerifier(text)
		if err != nil {
			name := "The secret"
			if len(keys) > 1 {
				name = fmt.Sprintf("Secret %d", i+1)
			}
			what, mistake := foreignKind(text), MistakeSecretUnusable
			if what != "" && !strings.HasPrefix(text, "whpk_") { // which is a kind that can be given
				s.refused = append(s.refused, fmt.Sprintf("%s is %s, not the secret of a webhook.", name, what))
				mistake = MistakeSecretKind
			} else {
				s.refused = append(s.refused, fmt.Sprintf("%s cannot be read: %s", name, sentence(strings.TrimPrefix(err.Error(), webhook.ErrKey.Error()+": "))))
			}
			if s.mistake == "" {
				s.mistake = mistake
			}
			s.shared = append(s.shared, text)
			continue
		}
		s.verifiers = append(s.verifiers, key)
		s.names = append(s.names, fmt.Sprintf("key %d of %d", i+1, len(keys)))
		switch k := key.(type) {
		case *webhook.Secret:
			s.secrets = append(s.secrets, k)
			s.shared = append(s.shared, text)
		case *webhook.VerifyingKey:
			public, ok := readBase64(strings.TrimPrefix(text, "whpk_"))
			if ok && len(public) == ed25519.PublicKeySize {
				s.public = append(s.public, func(message, signature []byte) bool {
					return len(signature) == ed25519.SignatureSize && ed25519.Verify(public, message, signature)
				})
			}
		}
	}
	return s
}

// explainHeaders tells whether the headers are there, as far as that is needed
// to look for mistakes.
func explainHeaders(e *Explanation, header http.Header) bool {
	for _, name := range []string{webhook.HeaderID, webhook.HeaderTimestamp, webhook.HeaderSignature} {
		if n := len(header[name]); n > 1 {
			e.fail(checkRequest, MistakeSignatureRepeated, fmt.Sprintf("The header %s is there %d times, and it must be there once.", strings.ToLower(name), n),
				"See that nothing between the sender and here adds the header once more; several signatures go into one header, with spaces between them.")
			return false
		}
	}
	if strings.Contains(only(header[webhook.HeaderID]), ".") {
		e.fail(checkID, MistakeIDDifferent, "The event ID has a dot in it, which the scheme does not allow, because dots separate what is signed.",
			"Have the sender use IDs without dots.")
		return false
	}
	if only(header[webhook.HeaderSignature]) != "" || only(header["Svix-Signature"]) == "" {
		return true
	}
	e.fail(checkSignature, MistakeSignatureElsewhere, "The request has the headers of Svix (svix-id, svix-timestamp, svix-signature), and not those of Standard Webhooks.",
		"Check it with the provider svix, or have the sender send webhook-id, webhook-timestamp and webhook-signature.")
	return false
}

// only is the one value of a header, or empty.
func only(values []string) string {
	if len(values) != 1 {
		return ""
	}
	return values[0]
}

// elements are the signatures of a version.
func elements(values []string, version string) []string {
	var list []string
	for _, value := range values {
		for _, element := range strings.Split(value, " ")[:min(maxSignatures, strings.Count(value, " ")+1)] {
			if v, signature, ok := strings.Cut(element, ","); ok && v == version && signature != "" {
				list = append(list, signature)
			}
		}
	}
	return list
}

func dropChecks(checks []Check, name string) []Check {
	kept := checks[:0]
	for _, c := range checks {
		if c.Name != name {
			kept = append(kept, c)
		}
	}
	return kept
}
