package receiver

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"

	"github.com/go-json-experiment/json"
)

// Handshakes of providers that sign them.
var (
	slackChallenge  = handshake{signed: greetSlack}
	zoomChallenge   = handshake{signed: greetZoom}
	discordPing     = handshake{signed: greetDiscord}
	twitchChallenge = handshake{signed: greetTwitch}
)

// greetSlack answers url_verification
// (docs.slack.dev/reference/events/url_verification).
func greetSlack(g *greeted) *reply {
	if !bytes.Contains(g.body, []byte("url_verification")) {
		return nil
	}
	var in struct {
		Type      string `json:"type"`
		Challenge string `json:"challenge"`
	}
	if json.Unmarshal(g.body, &in) != nil || in.Type != "url_verification" || !isChallenge(in.Challenge) {
		return nil
	}
	return replyText(in.Challenge)
}

// greetZoom answers endpoint.url_validation, with a signature of the token
// (developers.zoom.us/docs/api/webhooks/#validate-your-webhook-endpoint).
func greetZoom(g *greeted) *reply {
	if !bytes.Contains(g.body, []byte("endpoint.url_validation")) {
		return nil
	}
	var in struct {
		Event   string `json:"event"`
		Payload struct {
			PlainToken string `json:"plainToken"`
		} `json:"payload"`
	}
	if json.Unmarshal(g.body, &in) != nil || in.Event != "endpoint.url_validation" || !isToken(in.Payload.PlainToken) {
		return nil
	}
	mac := hmac.New(sha256.New, []byte(g.secret))
	mac.Write([]byte(in.Payload.PlainToken))
	// A token needs no escaping.
	return &reply{
		contentType: contentTypeJSON,
		body:        `{"plainToken":"` + in.Payload.PlainToken + `","encryptedToken":"` + hex.EncodeToString(mac.Sum(nil)) + `"}`,
	}
}

// greetDiscord answers PING interactions, which are of type 1
// (discord.com/developers/docs/interactions/overview).
func greetDiscord(g *greeted) *reply {
	var in struct {
		Type int `json:"type"`
	}
	if json.Unmarshal(g.body, &in) != nil || in.Type != 1 {
		return nil
	}
	return &reply{contentType: contentTypeJSON, body: `{"type":1}`}
}

// greetTwitch answers webhook_callback_verification
// (dev.twitch.tv/docs/eventsub/handling-webhook-events).
func greetTwitch(g *greeted) *reply {
	if g.request.Header.Get("Twitch-Eventsub-Message-Type") != "webhook_callback_verification" {
		return nil
	}
	var in struct {
		Challenge string `json:"challenge"`
	}
	if json.Unmarshal(g.body, &in) != nil || !isChallenge(in.Challenge) {
		return nil
	}
	return replyText(in.Challenge)
}
