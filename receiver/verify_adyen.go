package receiver

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/manysends/caddy-webhooks/webhook"
)

// adyenScheme is the signature in each item of a standard webhook of Adyen: the
// base64 of an HMAC-SHA256 over eight of its members, joined by colons
// (docs.adyen.com/development-resources/webhooks/verify-hmac-signatures).
type adyenScheme struct{ keys sharedKeys }

func newAdyenScheme(o schemeOptions) (scheme, error) {
	keys, err := newSharedKeys(o, "hex")
	if err != nil {
		return nil, err
	}
	return adyenScheme{keys}, nil
}

func (s adyenScheme) verify(_ context.Context, in *inbound) (proof, error) {
	outer, err := readObject(in.body, "notificationItems")
	if err != nil {
		return proof{}, err
	}
	if !outer.has("notificationItems") {
		return proof{}, fmt.Errorf("%w: the body has no notificationItems", webhook.ErrSignatureMissing)
	}
	// Adyen sends one, and no signature covers which of them are together:
	// whoever has seen an event could put it into any number of lists that have
	// not been seen yet.
	var items []jsontext.Value
	if err := json.Unmarshal(outer["notificationItems"], &items); err != nil || len(items) == 0 {
		return proof{}, fmt.Errorf("%w: notificationItems must be an array of one item", webhook.ErrSignatureMissing)
	}
	if len(items) > 1 {
		return proof{}, fmt.Errorf("%w: notificationItems has %d items, and nothing signs that they belong together: Adyen sends one", webhook.ErrSignatureMismatch, len(items))
	}
	return s.verifyItem(items[0])
}

// verifyItem checks an element of notificationItems.
func (s adyenScheme) verifyItem(item []byte) (proof, error) {
	outer, err := readObject(item, "NotificationRequestItem")
	if err != nil {
		return proof{}, err
	}
	o, err := readObject(outer["NotificationRequestItem"], "pspReference", "originalReference", "merchantAccountCode",
		"merchantReference", "amount", "eventCode", "success", "additionalData")
	if err != nil {
		return proof{}, err
	}
	if !o.has("additionalData") {
		return proof{}, fmt.Errorf("%w: an item has no additionalData.hmacSignature: switch HMAC signatures on in Adyen's Customer Area", webhook.ErrSignatureMissing)
	}
	additional, err := readObject(o["additionalData"], "hmacSignature")
	if err != nil {
		return proof{}, err
	}
	text, ok := additional.text("hmacSignature")
	if !ok {
		return proof{}, fmt.Errorf("%w: an item has no additionalData.hmacSignature: switch HMAC signatures on in Adyen's Customer Area", webhook.ErrSignatureMissing)
	}
	signature, err := decodeSignature(text)
	if err != nil {
		return proof{}, err
	}
	f, err := readAdyenFields(o)
	if err != nil {
		return proof{}, err
	}
	i := s.keys.match(sha256.New, signature, []byte(f.joined(f.merchantReference)))
	if i < 0 {
		// Adyen's libraries have done it both ways.
		i = s.keys.match(sha256.New, signature, []byte(f.joined(adyenEscapes.Replace(f.merchantReference))))
	}
	if i < 0 {
		return proof{}, errUnsigned("the members of an item")
	}
	return proof{secret: i, id: f.pspReference + ":" + f.eventCode + ":" + f.success, eventType: f.eventCode}, nil
}

var adyenEscapes = strings.NewReplacer(`\`, `\\`, `:`, `\:`)

// adyenFields are the members that a signature covers.
type adyenFields struct {
	pspReference, originalReference, merchantAccountCode, merchantReference string
	value, currency, eventCode, success                                     string
}

// readAdyenFields reads the members that are signed. The signed text is to be
// read in one way only, so just one of them may have a colon: merchantReference,
// which is the merchant's own. Errors wrap [webhook.ErrSignatureMismatch].
func readAdyenFields(o object) (f adyenFields, err error) {
	amount := object{}
	if o.has("amount") {
		if amount, err = readObject(o["amount"], "value", "currency"); err != nil {
			return f, err
		}
	}
	value := amount["value"]
	if value.Kind() == '0' {
		f.value = string(value)
	}
	bad := func(name string) (adyenFields, error) {
		return adyenFields{}, fmt.Errorf("%w: %s of an item is missing or not what is signed of it", webhook.ErrSignatureMismatch, name)
	}
	if strings.Trim(f.value, "-0123456789") != "" || f.value == "" {
		return bad("amount.value")
	}
	var ok bool
	if f.merchantReference, ok = o.optional("merchantReference"); !ok {
		return bad("merchantReference")
	}
	for _, field := range []struct {
		to   *string
		from object
		name string
	}{
		{&f.pspReference, o, "pspReference"},
		{&f.originalReference, o, "originalReference"},
		{&f.merchantAccountCode, o, "merchantAccountCode"},
		{&f.currency, amount, "currency"},
		{&f.eventCode, o, "eventCode"},
		{&f.success, o, "success"},
	} {
		if *field.to, ok = field.from.optional(field.name); !ok || strings.Contains(*field.to, ":") {
			return bad(field.name)
		}
	}
	if f.pspReference == "" || f.eventCode == "" {
		return bad("pspReference or eventCode")
	}
	return f, nil
}

// joined is the text that is signed.
func (f *adyenFields) joined(merchantReference string) string {
	return strings.Join([]string{
		f.pspReference, f.originalReference, f.merchantAccountCode, merchantReference,
		f.value, f.currency, f.eventCode, f.success,
	}, ":")
}
