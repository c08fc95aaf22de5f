package receiver

// shopProviders sell and ship goods.
var shopProviders = []provider{
	{
		Provider: Provider{
			Name: "aftership", Title: "AfterShip",
			Description: "Webhooks of AfterShip; the secret is the webhook's.",
			Source:      "https://www.aftership.com/docs/tracking/webhook/webhook-signature",
		},
		template: &Template{
			Encoding:  encodingBase64,
			Signature: []Place{{Header: "Aftership-Hmac-Sha256"}},
			ID:        []Place{{JSON: "event_id"}},
			Type:      []Place{{JSON: "event"}},
		},
	},
	{
		Provider: Provider{
			Name: "easypost", Title: "EasyPost",
			Description: "Webhooks of EasyPost; the secret is the webhook's, in ASCII.",
			Source:      "https://docs.easypost.com/guides/webhooks-guide",
		},
		template: &Template{
			Signature: []Place{{Header: "X-Hmac-Signature", Prefix: "hmac-sha256-hex="}},
			ID:        []Place{{JSON: "id"}},
			Type:      []Place{{JSON: "description"}},
		},
	},
	unchecked(standardProvider("etsy", "Etsy", "Webhooks of Etsy; the secret is the app's signing secret (whsec_…).", "https://developers.etsy.com/documentation/essentials/webhooks/")),
	{
		Provider: Provider{
			Name: "fourthwall", Title: "Fourthwall",
			Description: "Webhooks of Fourthwall; the secret is the shop's or, for platform apps, the app's HMAC key.",
			Source:      "https://docs.fourthwall.com/platform/webhooks/signature-verification",
		},
		template: &Template{
			Encoding:  encodingBase64,
			Signature: []Place{{Header: "X-Fourthwall-Hmac-SHA256"}, {Header: "X-Fourthwall-Hmac-Apps-SHA256"}},
			ID:        []Place{{JSON: "id"}},
			Type:      []Place{{JSON: "type"}},
		},
	},
	{
		Provider: Provider{
			Name: "lob", Title: "Lob",
			Description:  "Webhooks of Lob; the secret is the webhook's.",
			Source:       "https://help.lob.com/developer-docs/webhooks",
			Experimental: true,
		},
		template: &Template{
			Content:         "{timestamp}.{body}",
			Signature:       []Place{{Header: "Lob-Signature"}},
			Timestamp:       []Place{{Header: "Lob-Signature-Timestamp"}},
			TimestampFormat: formatAuto,
			ID:              []Place{{JSON: "id"}},
			Type:            []Place{{JSON: "event_type.id"}},
		},
	},
	{
		Provider: Provider{
			Name: "onfleet", Title: "Onfleet",
			Description: "Webhooks of Onfleet; the secret is the webhook secret, in hex.",
			Source:      "https://docs.onfleet.com/reference/secrets",
		},
		template: &Template{
			Algorithm: algorithmHMACSHA512,
			Key:       keyHex,
			Signature: []Place{{Header: "X-Onfleet-Signature"}},
			Type:      []Place{{JSON: "triggerName"}},
		},
	},
	{
		Provider: Provider{
			Name: "shippo", Title: "Shippo",
			Description:  "Webhooks of Shippo with HMAC; the secret is the one that Shippo gave.",
			Source:       "https://docs.goshippo.com/docs/tracking/webhooksecurity/",
			Experimental: true,
		},
		template: &Template{
			Content:   "{timestamp}.{body}",
			Signature: []Place{{Header: "Shippo-Auth-Signature", List: ",", Prefix: "v1="}},
			Timestamp: []Place{{Header: "Shippo-Auth-Signature", List: ",", Prefix: "t="}},
			Type:      []Place{{JSON: "event"}},
		},
	},
	{
		// Topics such as orders/create and orders/paid come with the same body.
		Provider: Provider{
			Name: "shopify", Title: "Shopify",
			Description: "Webhooks of Shopify; the secret is the app's client secret, or the one shown in the shop's notification settings.",
			Source:      "https://shopify.dev/docs/apps/build/webhooks/subscribe/https",
		},
		template: &Template{
			Encoding:    encodingBase64,
			Signature:   []Place{{Header: "X-Shopify-Hmac-SHA256"}},
			ID:          []Place{{Header: "X-Shopify-Event-Id"}, {Header: "X-Shopify-Webhook-Id"}},
			Type:        []Place{{Header: "X-Shopify-Topic"}},
			Distinguish: []Place{{Header: "X-Shopify-Topic"}},
		},
	},
	{
		Provider: Provider{
			Name: "squarespace", Title: "Squarespace", Experimental: true,
			Description: "Webhooks of Squarespace; the secret is the subscription's, in hex.",
			Source:      "https://developers.squarespace.com/commerce-apis/webhook-subscriptions-overview",
		},
		template: &Template{
			Key:       keyHex,
			Signature: []Place{{Header: "Squarespace-Signature"}},
			ID:        []Place{{JSON: "id"}},
			Type:      []Place{{JSON: "topic"}},
		},
	},
	{
		// Topics such as product.created and product.updated come with the same
		// body.
		Provider: Provider{
			Name: "woocommerce", Title: "WooCommerce",
			Description: "Webhooks of WooCommerce; the secret is the webhook's.",
			Source:      "https://woocommerce.com/document/webhooks/",
		},
		template: &Template{
			Encoding:    encodingBase64,
			Signature:   []Place{{Header: "X-WC-Webhook-Signature"}},
			ID:          []Place{{Header: "X-WC-Webhook-Delivery-ID"}},
			Type:        []Place{{Header: "X-WC-Webhook-Topic"}},
			Distinguish: []Place{{Header: "X-WC-Webhook-Topic"}},
		},
	},
}
