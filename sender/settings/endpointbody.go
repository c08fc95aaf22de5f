package settings

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// endpointFields are the members that an endpoint is made of, when it is made
// and when it is changed.
func endpointFields(e *sender.Endpoint) fields {
	return fields{
		"url":         address(&e.URL),
		"description": text(&e.Description),
		"events":      listed(&e.Events, likeEvent, whatever),
		"filter":      text(&e.Filter),
		"headers":     headers(&e.Headers),
		"format":      parsed(&e.Format, "manysends, standard, cloudevents or raw", webhook.ParseFormat),
		"rate":        rate(&e.Rate),
		"concurrency": whole(&e.Concurrency),
		"ordering":    text(&e.Ordering),
		"retry":       listed(&e.Retry, likeDuration, webhook.ParseDuration),
		"timeout":     parsed(&e.Timeout, likeDuration, webhook.ParseDuration),
	}
}

// newEndpointFields are the members of the body that an endpoint is made from.
func newEndpointFields(e *sender.NewEndpoint, secret *string) fields {
	f := endpointFields(&e.Endpoint)
	f["secret"] = givenSecret(secret)
	f["signing"] = signing(&e.Signing)
	f["active"] = flag(&e.Active)
	return f
}

// changeEndpoint reads the body of a change into an endpoint.
func changeEndpoint(e *sender.Endpoint, members []member) error {
	before := *e
	if err := endpointFields(e).apply(members, refusedInPatch); err != nil {
		return err
	}
	var headers jsontext.Value
	for _, m := range members {
		if m.name == "headers" {
			headers = m.value
		}
	}
	if err := stayWithHost(&before, e, headers); err != nil {
		return wrong("headers", "%s", err)
	}
	return nil
}

// refusedInNew are members that an endpoint to be made cannot be given.
var refusedInNew = map[string]string{
	"id":     "it is made by the server: leave it out",
	"tenant": "it is that of whoever is asking: leave it out",
}

// refusedInPatch are members that a change cannot set.
var refusedInPatch = withTold(map[string]string{
	"id":      "it cannot be changed: make another endpoint and delete this one",
	"tenant":  "it cannot be changed: make an endpoint as the other tenant and delete this one",
	"secret":  replaceSecret,
	"secrets": replaceSecret,
	"signing": replaceSecret,
	"active":  changeState,
	"state":   changeState,
})

const (
	replaceSecret = "it cannot be changed here: POST to the endpoint's rotate, so that the present secret goes on to sign for a while"
	changeState   = "it cannot be changed here: POST to the endpoint's activate or deactivate"
)

// withTold adds the members of an answer that are no settings.
func withTold(refused map[string]string) map[string]string {
	for _, name := range []string{
		"read_only", "reason", "paused_until", "signed", "public_keys", "previous_secret_until", "created_at", "updated_at",
		"tested_at", "last_success_at", "last_failure_at", "failing_since", "pending",
	} {
		refused[name] = "it is told by the server and cannot be set: leave it out"
	}
	return refused
}

// givenSecret reads a secret that somebody has chosen.
func givenSecret(dst *string) func(jsontext.Value) error {
	return parsed(dst, `a string such as "whsec_…"`, func(s string) (string, error) {
		if s == "" {
			return "", errors.New("it is empty: leave it out to have one made, or choose the signing none for deliveries without signatures")
		}
		return s, nil
	})
}

// signing reads a kind of secrets.
func signing(dst *sender.Signing) func(jsontext.Value) error {
	return parsed(dst, "hmac, ed25519 or none", func(s string) (sender.Signing, error) {
		switch kind := sender.Signing(s); kind {
		case sender.SigningHMAC, sender.SigningEd25519, sender.SigningNone:
			return kind, nil
		}
		return "", fmt.Errorf("%q is unknown: write hmac, ed25519 or none", s)
	})
}

// signingBeside refuses a kind of secrets to be made beside a secret that is
// given.
func signingBeside(secret string, kind sender.Signing) error {
	if secret != "" && kind != "" {
		return wrong("signing", "it says which kind of secret is made, and there is a secret: leave one of the two out")
	}
	return nil
}
