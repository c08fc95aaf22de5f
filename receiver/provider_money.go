package receiver

// moneyProviders move money, and account for it.
var moneyProviders = []provider{
	{
		Provider: Provider{
			Name: "adyen_management", Title: "Adyen",
			Description: "Management, banking and payout webhooks of Adyen, whose signature is in a header; the secret is the webhook's HMAC key in hex.",
			Source:      "https://docs.adyen.com/development-resources/webhooks/verify-hmac-signatures/",
		},
		template: &Template{
			Key:       keyHex,
			Encoding:  encodingBase64,
			Signature: []Place{{Header: "HmacSignature"}},
			Type:      []Place{{JSON: "type"}},
		},
	},
	{
		Provider: Provider{
			Name: "affirm", Title: "Affirm", Experimental: true,
			Description: "Webhooks of Affirm; the secret is the private API key.",
			Source:      "https://docs.affirm.com/developers/docs/webhooks",
		},
		template: &Template{
			Algorithm: algorithmHMACSHA512,
			Content:   "{timestamp}.{body}",
			Signature: []Place{{Header: "X-Affirm-Signature", List: ",", Prefix: "v0="}},
			Timestamp: []Place{{Header: "X-Affirm-Signature", List: ",", Prefix: "t="}},
		},
	},
	{
		Provider: Provider{
			Name: "airwallex", Title: "Airwallex",
			Description: "Webhooks of Airwallex; the secret is the notification URL's.",
			Source:      "https://www.airwallex.com/docs/developer-tools__listen-for-webhook-events",
		},
		template: &Template{
			Content:         "{timestamp}{body}",
			Signature:       []Place{{Header: "X-Signature"}},
			Timestamp:       []Place{{Header: "X-Timestamp"}},
			TimestampFormat: formatAuto,
			ID:              []Place{{JSON: "id"}},
			Type:            []Place{{JSON: "name"}},
		},
	},
	{
		Provider: Provider{
			Name: "authorize_net", Title: "Authorize.net",
			Description:  "Webhooks of Authorize.net; the secret is the signature key, in hex.",
			Source:       "https://developer.authorize.net/api/reference/features/webhooks.html",
			Experimental: true,
		},
		template: &Template{
			Algorithm: algorithmHMACSHA512,
			Key:       keyHex,
			Signature: []Place{{Header: "X-ANET-Signature", Prefix: "sha512="}},
			ID:        []Place{{JSON: "notificationId"}},
			Type:      []Place{{JSON: "eventType"}},
		},
	},
	{
		Provider: Provider{
			Name: "billit", Title: "Billit",
			Description: "Webhooks of Billit; the secret is the one given when the webhook is made.",
			Source:      "https://docs.billit.be/reference/webhook",
		},
		template: &Template{
			Content:   "{timestamp}.{body}",
			Signature: []Place{{Header: "Billit-Signature", List: ",", Prefix: "s="}},
			Timestamp: []Place{{Header: "Billit-Signature", List: ",", Prefix: "t="}},
		},
	},
	{
		Provider: Provider{
			Name: "bolt", Title: "Bolt", Experimental: true,
			Description: "Webhooks of Bolt; the secret is the merchant's signing secret.",
			Source:      "https://help.bolt.com/developers/webhooks/hook-verification/",
		},
		template: &Template{
			Encoding:  encodingBase64,
			Signature: []Place{{Header: "X-Bolt-Hmac-Sha256"}},
			Type:      []Place{{JSON: "type"}},
		},
	},
	{
		Provider: Provider{
			Name: "cashfree", Title: "Cashfree Payments",
			Description: "Webhooks of Cashfree Payments; the secret is the client secret.",
			Source:      "https://www.cashfree.com/docs/payments/online/webhooks/signature-verification",
		},
		template: &Template{
			Content:         "{timestamp}{body}",
			Encoding:        encodingBase64,
			Signature:       []Place{{Header: "X-Webhook-Signature"}},
			Timestamp:       []Place{{Header: "X-Webhook-Timestamp"}},
			TimestampFormat: formatAuto,
			Type:            []Place{{JSON: "type"}},
		},
	},
	{
		Provider: Provider{
			Name: "chargify", Title: "Maxio Advanced Billing",
			Description: "Webhooks of Maxio Advanced Billing, formerly Chargify; the secret is the site's shared key.",
			Source:      "https://docs.maxio.com/hc/en-us/articles/24266152443917-Webhooks",
		},
		template: &Template{
			Signature: []Place{{Header: "X-Chargify-Webhook-Signature-Hmac-Sha-256"}},
			ID:        []Place{{Header: "X-Chargify-Webhook-Id"}},
		},
	},
	{
		Provider: Provider{
			Name: "checkout_com", Title: "Checkout.com",
			Description:  "Webhooks of Checkout.com; the secret is the workflow action's signature key.",
			Source:       "https://www.checkout.com/docs/developer-resources/webhooks/secure-your-webhook-server",
			Experimental: true,
		},
		template: &Template{
			Signature: []Place{{Header: "Cko-Signature"}},
			ID:        []Place{{JSON: "id"}},
			Type:      []Place{{JSON: "type"}},
		},
	},
	{
		Provider: Provider{
			Name: "coinbase_commerce", Title: "Coinbase Commerce",
			Description: "Webhooks of Coinbase Commerce; the secret is the shared webhook secret.",
			Source:      "https://docs.cdp.coinbase.com/commerce/api-arcitecture/webhooks-security",
		},
		template: &Template{
			Signature: []Place{{Header: "X-CC-Webhook-Signature"}},
			ID:        []Place{{JSON: "event.id"}},
			Type:      []Place{{JSON: "event.type"}},
		},
	},
	{
		Provider: Provider{
			Name: "dwolla", Title: "Dwolla",
			Description:  "Webhooks of Dwolla; the secret is the subscription's.",
			Source:       "https://developers.dwolla.com/docs/working-with-webhooks",
			Experimental: true,
		},
		template: &Template{
			Signature: []Place{{Header: "X-Request-Signature-SHA-256"}},
			ID:        []Place{{JSON: "id"}},
			Type:      []Place{{JSON: "topic"}},
		},
	},
	{
		Provider: Provider{
			Name: "gocardless", Title: "GoCardless",
			Description: "Webhooks of GoCardless; the secret is the endpoint's.",
			Source:      "https://developer.gocardless.com/api-reference/#webhooks-signing-webhooks",
		},
		template: &Template{
			Signature: []Place{{Header: "Webhook-Signature"}},
			ID:        []Place{{JSON: "meta.webhook_id"}},
		},
	},
	{
		Provider: Provider{
			Name: "lemonsqueezy", Title: "Lemon Squeezy",
			Description: "Webhooks of Lemon Squeezy; the secret is the webhook's signing secret.",
			Source:      "https://docs.lemonsqueezy.com/help/webhooks/signing-requests",
		},
		template: &Template{
			Signature: []Place{{Header: "X-Signature"}},
			Type:      []Place{{JSON: "meta.event_name"}},
		},
	},
	{
		Provider: Provider{
			Name: "modern_treasury", Title: "Modern Treasury",
			Description: "Webhooks of Modern Treasury; the secret is the endpoint's webhook key.",
			Source:      "https://docs.moderntreasury.com/platform/reference/webhooks",
		},
		template: &Template{
			Signature: []Place{{Header: "X-Signature"}},
			ID:        []Place{{Header: "X-Webhook-ID"}},
			Type:      []Place{{JSON: "event"}},
		},
	},
	{
		Provider: Provider{
			Name: "mollie", Title: "Mollie",
			Description: "Webhooks of Mollie for events, not the older payment webhooks, which are not signed; the secret is the webhook's signing secret.",
			Source:      "https://docs.mollie.com/reference/webhooks-best-practices",
		},
		template: &Template{
			Signature: []Place{{Header: "X-Mollie-Signature", Prefix: "sha256="}},
			ID:        []Place{{JSON: "id"}},
			Type:      []Place{{JSON: "type"}},
		},
	},
	{
		Provider: Provider{
			Name: "moonpay", Title: "MoonPay",
			Description: "Webhooks of MoonPay, version 2 of the signature; the secret is the webhook API key.",
			Source:      "https://dev.moonpay.com/docs/faq-webhooks",
		},
		template: &Template{
			Content:   "{timestamp}.{body}",
			Signature: []Place{{Header: "Moonpay-Signature-V2", List: ",", Prefix: "s="}},
			Timestamp: []Place{{Header: "Moonpay-Signature-V2", List: ",", Prefix: "t="}},
			Type:      []Place{{JSON: "type"}},
		},
	},
	{
		Provider: Provider{
			Name: "orb", Title: "Orb",
			Description: "Webhooks of Orb; the secret is the endpoint's signing secret.",
			Source:      "https://docs.withorb.com/integrations-and-exports/webhooks",
		},
		template: &Template{
			Content:         "v1:{timestamp}:{body}",
			Signature:       []Place{{Header: "X-Orb-Signature", List: " ", Prefix: "v1="}},
			Timestamp:       []Place{{Header: "X-Orb-Timestamp"}},
			TimestampFormat: formatRFC3339,
			ID:              []Place{{JSON: "id"}},
			Type:            []Place{{JSON: "type"}},
		},
	},
	{
		Provider: Provider{
			Name: "paddle", Title: "Paddle Billing",
			Description: "Webhooks of Paddle Billing; the secret is the notification destination's secret key.",
			Source:      "https://developer.paddle.com/webhooks/signature-verification",
		},
		template: &Template{
			Content:   "{timestamp}:{body}",
			Signature: []Place{{Header: "Paddle-Signature", List: ";", Prefix: "h1="}},
			Timestamp: []Place{{Header: "Paddle-Signature", List: ";", Prefix: "ts="}},
			ID:        []Place{{JSON: "event_id"}},
			Type:      []Place{{JSON: "event_type"}},
		},
	},
	{
		Provider: Provider{
			Name: "paystack", Title: "Paystack",
			Description:  "Webhooks of Paystack; the secret is the secret key.",
			Source:       "https://paystack.com/docs/payments/webhooks/#verify-event-origin",
			Experimental: true,
		},
		template: &Template{
			Algorithm: algorithmHMACSHA512,
			Signature: []Place{{Header: "X-Paystack-Signature"}},
			Type:      []Place{{JSON: "event"}},
		},
	},
	{
		Provider: Provider{
			Name: "primer", Title: "Primer", Experimental: true,
			Description: "Webhooks of Primer; the secrets are the signing secrets, of which two may be in use.",
			Source:      "https://primer.io/docs/api-reference/get-started/webhooks",
		},
		template: &Template{
			Encoding:  encodingBase64,
			Signature: []Place{{Header: "X-Signature-Primary"}, {Header: "X-Signature-Secondary"}},
			Type:      []Place{{JSON: "eventType"}},
		},
	},
	{
		Provider: Provider{
			Name: "quickbooks", Title: "QuickBooks Online",
			Description:  "Webhooks of QuickBooks Online; the secret is the app's verifier token.",
			Source:       "https://developer.intuit.com/app/developer/qbo/docs/develop/webhooks/managing-webhooks-notifications",
			Experimental: true,
		},
		template: &Template{
			Encoding:  encodingBase64,
			Signature: []Place{{Header: "Intuit-Signature"}},
		},
	},
	{
		Provider: Provider{
			Name: "razorpay", Title: "Razorpay",
			Description: "Webhooks of Razorpay; the secret is the webhook's.",
			Source:      "https://razorpay.com/docs/webhooks/validate-test/",
		},
		template: &Template{
			Signature: []Place{{Header: "X-Razorpay-Signature"}},
			ID:        []Place{{Header: "X-Razorpay-Event-Id"}},
			Type:      []Place{{JSON: "event"}},
		},
	},
	{
		Provider: Provider{
			Name: "revolut", Title: "Revolut",
			Description: "Webhooks of Revolut Business and Revolut Merchant; the secret is the webhook's signing secret (wsk_…).",
			Source:      "https://developer.revolut.com/docs/guides/manage-accounts/webhooks/verify-the-payload-signature",
		},
		template: &Template{
			Content:         "v1.{timestamp}.{body}",
			Signature:       []Place{{Header: "Revolut-Signature", List: ",", Prefix: "v1="}},
			Timestamp:       []Place{{Header: "Revolut-Request-Timestamp"}},
			TimestampFormat: formatUnixMS,
			Type:            []Place{{JSON: "event"}},
		},
	},
	{
		Provider: Provider{
			Name: "square", Title: "Square",
			Description: "Webhooks of Square; the secret is the subscription's signature key, and url must be its notification URL.",
			Source:      "https://developer.squareup.com/docs/webhooks/step3validate",
		},
		template: &Template{
			Content:   "{url}{body}",
			Encoding:  encodingBase64,
			Signature: []Place{{Header: "X-Square-HmacSha256-Signature"}},
			ID:        []Place{{JSON: "event_id"}},
			Type:      []Place{{JSON: "type"}},
		},
	},
	{
		Provider: Provider{
			Name: "stripe", Title: "Stripe",
			Description: "Webhooks of Stripe; the secret is the endpoint's signing secret (whsec_…), taken as it is.",
			Source:      "https://docs.stripe.com/webhooks#verify-manually",
		},
		template: &Template{
			Content:   "{timestamp}.{body}",
			Signature: []Place{{Header: "Stripe-Signature", List: ",", Prefix: "v1="}},
			Timestamp: []Place{{Header: "Stripe-Signature", List: ",", Prefix: "t="}},
			ID:        []Place{{JSON: "id"}},
			Type:      []Place{{JSON: "type"}},
		},
	},
	{
		// v1 is made with the current key and v2 with the one before.
		Provider: Provider{
			Name: "tabapay", Title: "TabaPay",
			Description: "Webhooks of TabaPay; the secrets are the current signing key and, during a change, the one before.",
			Source:      "https://developers.tabapay.com/reference/webhook-security",
		},
		template: &Template{
			Content: "{timestamp}.{body}",
			Signature: []Place{
				{Header: "X-HMAC-Signature", List: ",", Prefix: "v1="},
				{Header: "X-HMAC-Signature", List: ",", Prefix: "v2="},
			},
			Timestamp: []Place{{Header: "X-HMAC-Signature", List: ",", Prefix: "t="}},
			ID:        []Place{{Header: "Idempotency-Key"}},
		},
	},
	{
		Provider: Provider{
			Name: "unit", Title: "Unit",
			Description: "Webhooks of Unit; the secret is the webhook's token.",
			Source:      "https://www.unit.co/docs/api/webhooks/",
		},
		template: &Template{
			Algorithm: algorithmHMACSHA1,
			Encoding:  encodingBase64,
			Signature: []Place{{Header: "X-Unit-Signature"}},
			Type:      []Place{{JSON: "data.0.type"}},
		},
	},
	{
		Provider: Provider{
			Name: "worldline", Title: "Worldline",
			Description: "Webhooks of Worldline Connect and Direct; the secret is the webhooks secret key.",
			Source:      "https://docs.connect.worldline-solutions.com/documentation/webhooks/security/",
		},
		template: &Template{
			Encoding:  encodingBase64,
			Signature: []Place{{Header: "X-GCS-Signature"}},
			ID:        []Place{{JSON: "id"}},
			Type:      []Place{{JSON: "type"}},
		},
	},
	{
		Provider: Provider{
			Name: "xendit", Title: "Xendit",
			Description: "Webhooks of Xendit; the secret is the account's webhook verification token, which is sent as it is and signs nothing.",
			Source:      "https://docs.xendit.co/docs/handling-webhooks",
		},
		template: &Template{
			Algorithm: algorithmToken,
			Signature: []Place{{Header: "X-Callback-Token"}},
			ID:        []Place{{Header: "Webhook-Id"}},
			Type:      []Place{{JSON: "event"}},
		},
	},
	{
		Provider: Provider{
			Name: "xero", Title: "Xero",
			Description: "Webhooks of Xero; the secret is the app's webhooks key.",
			Source:      "https://developer.xero.com/documentation/guides/webhooks/configuring-your-server/",
		},
		template: &Template{
			Encoding:  encodingBase64,
			Signature: []Place{{Header: "X-Xero-Signature"}},
			Type:      []Place{{JSON: "events.0.eventType"}},
		},
	},
}
