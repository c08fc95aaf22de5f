package receiver

import (
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"

	"github.com/manysends/caddy-webhooks/webhook"
)

// googleKeys is where Google publishes the keys of its ID tokens
// (accounts.google.com/.well-known/openid-configuration).
const googleKeys = "https://www.googleapis.com/oauth2/v3/certs"

// newGooglePubSubScheme is the ID token that Pub/Sub sends with a push
// (cloud.google.com/pubsub/docs/authenticate-push-subscriptions). Anybody with a
// Google account can have one issued for any audience, so the service account
// must be right as well.
func newGooglePubSubScheme(o schemeOptions) (scheme, error) {
	audience, email := o.parameters["audience"], o.parameters["email"]
	switch {
	case audience == "":
		return nil, errors.New("parameters.audience is not set: write the audience of the push subscription, which is its URL unless another was chosen")
	case email == "":
		return nil, errors.New("parameters.email is not set: write the service account of the push subscription; anybody can have a token issued for any audience")
	}
	return &tokenScheme{
		header: "Authorization", bearer: true, algorithms: []jose.SignatureAlgorithm{jose.RS256},
		keys:   newKeySet(o.client, googleKeys),
		claims: []string{"iss", "aud", "email", "email_verified"},
		check: func(in *inbound, claims object) (proof, error) {
			if iss, _ := claims.text("iss"); iss != "https://accounts.google.com" && iss != "accounts.google.com" {
				return proof{}, fmt.Errorf("%w: the token is not of Google", webhook.ErrSignatureMismatch)
			}
			if !claims.isFor(audience) {
				return proof{}, fmt.Errorf("%w: the token is not for parameters.audience", webhook.ErrSignatureMismatch)
			}
			if of, _ := claims.text("email"); of != email || claims["email_verified"].Kind() != 't' {
				return proof{}, fmt.Errorf("%w: the token is not of the service account parameters.email", webhook.ErrSignatureMismatch)
			}
			// Tokens are used for many messages, and their age tells nothing of
			// that of a message: they count until they expire.
			proven := proof{content: [2][]byte{in.body}, id: pubSubID(in.body)}
			if !claims.has("exp") {
				return proven, fmt.Errorf("%w: the token has no claim exp", webhook.ErrTimestampMalformed)
			}
			return proven, nil
		},
	}, nil
}

// pubSubID is the ID of the message in a push, or empty.
func pubSubID(body []byte) string {
	outer, err := readObject(body, "message")
	if err != nil {
		return ""
	}
	message, err := readObject(outer["message"], "messageId")
	if err != nil {
		return ""
	}
	id, _ := message.text("messageId")
	return id
}
