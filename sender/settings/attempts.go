package settings

import (
	"unicode/utf8"

	"github.com/manysends/caddy-webhooks/sender"
)

// attempt is an attempt as it is answered: the body of the endpoint's answer is
// text where it is UTF-8, and base64 otherwise.
type attempt struct {
	sender.Attempt
	ResponseBody       string `json:"response_body,omitempty"`
	ResponseBodyBase64 []byte `json:"response_body_base64,omitempty"`
}

func shownAttempt(a sender.Attempt) attempt {
	shown := attempt{Attempt: a}
	shown.StartedAt = a.StartedAt.UTC()
	body := withoutPartialRune(a.ResponseBody)
	if utf8.Valid(body) {
		shown.ResponseBody = string(body)
	} else {
		shown.ResponseBodyBase64 = a.ResponseBody
	}
	return shown
}

// withoutPartialRune cuts off a character that is there in part only, which is
// how a body ends of which only the beginning was kept.
func withoutPartialRune(b []byte) []byte {
	for i := len(b) - 1; i >= 0 && i >= len(b)-utf8.UTFMax; i-- {
		if utf8.RuneStart(b[i]) {
			if !utf8.FullRune(b[i:]) {
				return b[:i]
			}
			return b
		}
	}
	return b
}
