package receiver

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// handshake is how a provider makes sure that an endpoint is there and wants
// its events. The zero value is for those that don't.
type handshake struct {
	// get, options and post answer requests of these methods before anything is
	// verified: there is nothing to verify with. So what they send back must be
	// harmless whoever asks.
	get, options, post greeting

	// signed answers requests that have been verified.
	signed greeting
}

// greeting answers a request if it is a handshake, and otherwise returns nil.
type greeting func(g *greeted) *reply

// greeted is a request that may be a handshake.
type greeted struct {
	request    *http.Request
	body       []byte
	parameters map[string]string

	// secret is the one that the request was signed with, or the first.
	secret string
}

// reply is the answer to a handshake.
type reply struct {
	contentType string // empty: there is no body
	body        string
	header      map[string]string
}

// takes tells whether requests of a method may be handshakes.
func (h *handshake) takes(method string) bool {
	return method == http.MethodGet && h.get != nil || method == http.MethodOptions && h.options != nil
}

// greet answers a request of a method other than POST, or returns nil.
func (h *handshake) greet(g *greeted) *reply {
	switch {
	case g.request.Method == http.MethodGet && h.get != nil:
		return h.get(g)
	case g.request.Method == http.MethodOptions && h.options != nil:
		return h.options(g)
	}
	return nil
}

// handleOther answers a request that is not a POST: a handshake, or if nothing
// is enforced, whatever the application says.
func (rc *Receiver) handleOther(w http.ResponseWriter, r *http.Request, seen *Observation, next func(http.ResponseWriter, *http.Request) error) error {
	answer := rc.provider.handshake.greet(&greeted{request: r, parameters: rc.config.Parameters, secret: rc.ring.Load().secret(0)})
	if answer != nil {
		return rc.greet(w, r, seen, answer)
	}
	refusal := wrongMethod()
	if rc.provider.handshake.takes(r.Method) {
		refusal.Err = rc.notConfirmed(r.Method)
	}
	if !rc.overlook(r, seen, refusal) {
		return rc.refuseUnread(w, r, seen, refusal)
	}
	if r.Body != nil {
		r.Body = http.MaxBytesReader(w, r.Body, rc.maxSize)
	}
	rc.tell(r, seen)
	return next(w, r)
}

// notConfirmed says of a request that could be a handshake why it is none.
func (rc *Receiver) notConfirmed(method string) error {
	var names []string
	for _, p := range rc.provider.Parameters {
		names = append(names, p.Name)
	}
	if len(names) == 0 {
		return fmt.Errorf("the method is %s, and the request is no handshake of the provider", method)
	}
	return fmt.Errorf("the method is %s, and the request is no handshake that the configuration confirms: compare the parameter %s with what the provider was given",
		method, strings.Join(names, " or "))
}

// greet answers a handshake.
func (rc *Receiver) greet(w http.ResponseWriter, r *http.Request, seen *Observation, answer *reply) error {
	// Whatever there is against it does not matter: it is answered.
	seen.Handshake, seen.Reason, seen.Enforced = true, "", true
	rc.tell(r, seen)
	answer.write(w)
	return nil
}

const contentTypeText, contentTypeJSON = "text/plain; charset=utf-8", "application/json"

func replyText(text string) *reply { return &reply{contentType: contentTypeText, body: text} }

// write sends the reply. No browser may take it for anything but what its
// Content-Type says, nor keep it.
func (a *reply) write(w http.ResponseWriter) {
	h := w.Header()
	for name, value := range a.header {
		h.Set(name, value)
	}
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	if a.contentType != "" {
		h.Set("Content-Type", a.contentType)
	}
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write([]byte(a.body))
}

// maxChallenge is how long a text may be that is sent back, in bytes.
const maxChallenge = 1024

// isChallenge tells whether text may be sent back: short, and of characters
// that can be seen.
func isChallenge(text string) bool {
	if text == "" || len(text) > maxChallenge || !utf8.ValidString(text) {
		return false
	}
	for i := range len(text) {
		if text[i] < ' ' || text[i] == 0x7f {
			return false
		}
	}
	return true
}

// isToken tells whether text is made of what tokens are made of. It can be
// signed without making a signature of anything else: neither a JSON object nor
// a timestamp with a separator looks like that.
func isToken(text string) bool {
	if text == "" || len(text) > maxChallenge {
		return false
	}
	for i := range len(text) {
		switch c := text[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '-', c == '_', c == '=', c == '+', c == '/':
		default:
			return false
		}
	}
	return true
}

// isSame compares texts in a time that tells nothing of them.
func isSame(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// queryValue is the value of a parameter that is in the query exactly once,
// otherwise empty.
func queryValue(query url.Values, name string) string {
	if values := query[name]; len(values) == 1 {
		return values[0]
	}
	return ""
}
