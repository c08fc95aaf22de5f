package webhook_test

import (
	"strings"
	"testing"

	"github.com/manysends/caddy-webhooks/webhook"
)

func TestEventTypeOf(t *testing.T) {
	for name, want := range map[string]string{
		"github.pull_request":               "github.pull_request",
		"github.":                           "github",
		"shopify.orders/create":             "shopify.orders.create",
		"PAYMENT.CAPTURE.COMPLETED":         "payment.capture.completed",
		"customer-deleted":                  "customer_deleted",
		"..a//b::c ..":                      "a.b.c",
		"Füße":                              "f__e",
		"urn:x:y":                           "urn.x.y",
		"":                                  "",
		"/ .:":                              "",
		strings.Repeat("a", 200):            strings.Repeat("a", 128),
		strings.Repeat("a", 127) + ".later": strings.Repeat("a", 127),
	} {
		got := webhook.EventTypeOf(name)
		if got != want {
			t.Errorf("EventTypeOf(%q) = %q, want %q", name, got, want)
		}
		if got != "" && webhook.CheckEventType(got) != nil {
			t.Errorf("EventTypeOf(%q) = %q, which is no event type", name, got)
		}
	}
}

func FuzzEventTypeOf(f *testing.F) {
	f.Add("orders/create")
	f.Add("\xff.é..")
	f.Fuzz(func(t *testing.T, name string) {
		if got := webhook.EventTypeOf(name); got != "" && webhook.CheckEventType(got) != nil {
			t.Errorf("EventTypeOf(%q) = %q, which is no event type", name, got)
		}
	})
}
