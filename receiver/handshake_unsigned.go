package receiver

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"os"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Handshakes of providers that do not sign them.
var (
	metaChallenge         = handshake{get: greetMeta}
	webSubChallenge       = handshake{get: greetWebSub}
	dropboxChallenge      = handshake{get: greetDropbox}
	oktaChallenge         = handshake{get: greetOkta}
	twitterChallenge      = handshake{get: greetTwitter}
	graphValidation       = handshake{post: greetGraph}
	eventGridValidation   = handshake{post: greetEventGrid, options: greetCloudEvents}
	cloudEventsPermission = handshake{options: greetCloudEvents}
	asanaSecret           = handshake{post: greetAsana}
	notionToken           = handshake{post: greetNotion}
)

// The parameters of handshakes.
var (
	parameterVerifyToken   = Parameter{Name: "verify_token", Description: "The text that was given to the provider as its verify token. Without it, no subscription is confirmed."}
	parameterTopic         = Parameter{Name: "topic", Description: "The URL of the topic that was subscribed to. Without it, no subscription is confirmed."}
	parameterAllowedOrigin = Parameter{Name: "allowed_origin", Description: "Which senders may ask for permission to send, by their host names and separated by commas, or \"*\" for any. Without it, none is permitted."}
	parameterAllowedRate   = Parameter{Name: "allowed_rate", Description: "How many requests per minute they may send, or \"*\" for as many as they like. Without it, nothing is said of a rate."}
	parameterHookSecret    = Parameter{Name: "accept_hook_secret", Description: "\"true\" while a webhook is being created: whoever sends a secret then gets it confirmed."}
	parameterTokenFile     = Parameter{Name: "verification_file", Description: "A file that the verification token is written to, which the provider sends once and which is then its secret. It is never overwritten."}
)

// greetMeta confirms a subscription
// (developers.facebook.com/docs/graph-api/webhooks/getting-started).
func greetMeta(g *greeted) *reply {
	query, want := g.request.URL.Query(), g.parameters[parameterVerifyToken.Name]
	challenge := queryValue(query, "hub.challenge")
	if want == "" || queryValue(query, "hub.mode") != "subscribe" || !isSame(queryValue(query, "hub.verify_token"), want) || !isChallenge(challenge) {
		return nil
	}
	return replyText(challenge)
}

// greetWebSub confirms a subscription (W3C WebSub, section 5.3), and no
// cancellation.
func greetWebSub(g *greeted) *reply {
	query, want := g.request.URL.Query(), g.parameters[parameterTopic.Name]
	challenge := queryValue(query, "hub.challenge")
	if want == "" || queryValue(query, "hub.mode") != "subscribe" || queryValue(query, "hub.topic") != want || !isChallenge(challenge) {
		return nil
	}
	return replyText(challenge)
}

// greetDropbox sends the challenge back
// (dropbox.com/developers/reference/webhooks).
func greetDropbox(g *greeted) *reply {
	challenge := queryValue(g.request.URL.Query(), "challenge")
	if !isChallenge(challenge) {
		return nil
	}
	return replyText(challenge)
}

// greetOkta sends the challenge back
// (developer.okta.com/docs/concepts/event-hooks).
func greetOkta(g *greeted) *reply {
	values := g.request.Header["X-Okta-Verification-Challenge"]
	if len(values) != 1 || !isChallenge(values[0]) {
		return nil
	}
	return replyMember("verification", values[0])
}

// replyMember is a JSON object of one member.
func replyMember(name, value string) *reply {
	text, err := jsontext.AppendQuote(nil, value)
	if err != nil {
		return nil
	}
	return &reply{contentType: contentTypeJSON, body: `{"` + name + `":` + string(text) + `}`}
}

// greetTwitter signs the token (Account Activity API, challenge-response
// checks). What is signed looks like no event: otherwise anybody could have one
// signed.
func greetTwitter(g *greeted) *reply {
	token := queryValue(g.request.URL.Query(), "crc_token")
	if !isToken(token) || g.secret == "" {
		return nil
	}
	mac := hmac.New(sha256.New, []byte(g.secret))
	mac.Write([]byte(token))
	return replyMember("response_token", "sha256="+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}

// greetGraph sends the token back
// (learn.microsoft.com/graph/change-notifications-delivery-webhooks).
func greetGraph(g *greeted) *reply {
	if g.request.URL.RawQuery == "" {
		return nil
	}
	token := queryValue(g.request.URL.Query(), "validationToken")
	if !isChallenge(token) {
		return nil
	}
	return replyText(token)
}

// greetEventGrid sends the code of the one event of a validation back
// (learn.microsoft.com/azure/event-grid/end-point-validation-event-grid-events-schema).
func greetEventGrid(g *greeted) *reply {
	if g.request.Header.Get("Aeg-Event-Type") != "SubscriptionValidation" {
		return nil
	}
	var in []struct {
		EventType string `json:"eventType"`
		Data      struct {
			ValidationCode string `json:"validationCode"`
		} `json:"data"`
	}
	if json.Unmarshal(g.body, &in) != nil || len(in) != 1 || in[0].EventType != "Microsoft.EventGrid.SubscriptionValidationEvent" || !isChallenge(in[0].Data.ValidationCode) {
		return nil
	}
	return replyMember("validationResponse", in[0].Data.ValidationCode)
}

// greetCloudEvents permits the senders that the operator has named (HTTP 1.1
// Web Hooks for Event Delivery 1.0, section 4). A permission that is to be
// called back is not given.
func greetCloudEvents(g *greeted) *reply {
	values := g.request.Header["Webhook-Request-Origin"]
	if len(values) != 1 || values[0] == "" {
		return nil
	}
	for allowed := range strings.SplitSeq(g.parameters[parameterAllowedOrigin.Name], ",") {
		allowed = strings.TrimSpace(allowed)
		if allowed == "" || allowed != "*" && !strings.EqualFold(allowed, values[0]) {
			continue
		}
		// What is sent back is the operator's text, not the sender's.
		a := &reply{header: map[string]string{"Allow": http.MethodPost, "Webhook-Allowed-Origin": allowed}}
		if rate := g.parameters[parameterAllowedRate.Name]; rate != "" {
			a.header["Webhook-Allowed-Rate"] = rate
		}
		return a
	}
	return nil
}

// greetAsana sends the secret back that is to be used from now on
// (developers.asana.com/docs/webhooks-guide). Whoever created the webhook gets
// the secret in the answer to that, too.
func greetAsana(g *greeted) *reply {
	const name = "X-Hook-Secret"
	values := g.request.Header[name]
	if g.parameters[parameterHookSecret.Name] != "true" || len(values) != 1 || !isToken(values[0]) {
		return nil
	}
	return &reply{header: map[string]string{name: values[0]}}
}

// greetNotion takes the token that later events are signed with
// (developers.notion.com/reference/webhooks). The operator has to enter it at
// Notion, so it is written to a file, once.
func greetNotion(g *greeted) *reply {
	path := g.parameters[parameterTokenFile.Name]
	if path == "" || !bytes.Contains(g.body, []byte("verification_token")) {
		return nil
	}
	var in struct {
		Token string `json:"verification_token"`
	}
	if json.Unmarshal(g.body, &in, json.RejectUnknownMembers(true)) != nil || !isToken(in.Token) {
		return nil
	}
	if writeOnce(path, in.Token+"\n") != nil {
		return nil
	}
	return &reply{}
}

// writeOnce makes a file, which must not be there yet. What could not be written
// as a whole, as on a full disk, is taken away, so that it does not keep another
// attempt from being made.
func writeOnce(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		_ = os.Remove(path)
	}
	return err
}
