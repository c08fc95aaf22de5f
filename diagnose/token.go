package diagnose

import (
	"crypto/sha256"
	"crypto/subtle"
	"strings"
)

// findToken looks for a secret that was sent as it is, but not quite.
func (s *search) findToken() *finding {
	for _, secret := range s.rule.Secrets {
		bare := strings.Trim(secret, " \t\r\n\"'`")
		for _, sent := range s.rule.Signatures {
			switch {
			case same(sent, bare):
				return &finding{mistake: MistakeSecretSpace,
					cause:  "The token is right, but the secret was given with white space or quotes around it.",
					remedy: "Give the secret without them."}
			case same(strings.Trim(sent, " \t\r\n\"'`"), bare):
				return &finding{mistake: MistakeSignatureForm,
					cause:  "The token is right, but it was sent with white space or quotes around it.",
					remedy: "Have the sender send nothing but the token."}
			}
		}
		for _, name := range signatureHeaders(s.rule.Header) {
			for _, value := range s.rule.Header[name] {
				scheme, credentials, _ := strings.Cut(value, " ")
				if same(value, bare) || same(credentials, bare) && len(scheme) < 16 {
					f := &finding{mistake: MistakeSignatureElsewhere,
						cause:  "The token is right, but it is in the header " + shown(name) + ", and it is expected in " + s.rule.Place + ".",
						remedy: "Send it where it is expected, or describe a sender of your own with the header " + shown(name) + "."}
					if s.rule.isPlace(name) {
						f.mistake = MistakeSignatureForm
						f.cause = "The token is right, but what stands before it in the header " + shown(name) + " is not what is expected."
						f.remedy = "Send it with the prefix that the scheme has, or without one where it has none."
					}
					return f
				}
			}
		}
	}
	return nil
}

// same compares secrets without telling their lengths.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return b != "" && subtle.ConstantTimeCompare(x[:], y[:]) == 1
}
