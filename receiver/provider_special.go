package receiver

// specialProviders are those whose signatures no template can express.
var specialProviders = []provider{
	{
		Provider: Provider{
			Name:        "adyen",
			Title:       "Adyen",
			Description: "Standard webhooks of Adyen: an HMAC in the notification item, of which there must be one. It covers pspReference, originalReference, merchantAccountCode, merchantReference, amount, eventCode and success, and nothing else of the item, so take no other member for granted. The secret is the HMAC key in hex. Answer with the text \"[accepted]\".",
			Source:      "https://docs.adyen.com/development-resources/webhooks/verify-hmac-signatures",
			IDSigned:    true,
		},
		newScheme: newAdyenScheme,
		claims:    []claimOf{claimID},
	},
	{
		Provider: Provider{
			Name:        "contentful",
			Title:       "Contentful",
			Description: "Webhooks and apps of Contentful with request verification: an HMAC over the method, the path, the signed headers and the body. The secret is the signing secret. Set url if a proxy changes the path.",
			Source:      "https://www.contentful.com/developers/docs/webhooks/request-verification/",
			Timestamped: true,
		},
		newScheme: newContentfulScheme,
		claims:    []claimOf{claimContent},
	},
	{
		Provider: Provider{
			Name:         "fusionauth",
			Title:        "FusionAuth",
			Description:  "Signed webhooks of FusionAuth: a token that holds the digest of the body. The secret is the HMAC secret, or the public key in PEM form. FusionAuth does not promise the claim iat: the age of a request without it is not checked.",
			Source:       "https://fusionauth.io/docs/extend/events-and-webhooks/signing",
			Experimental: true,
			Timestamped:  true,
			IDSigned:     true,
		},
		newScheme: newFusionAuthScheme,
		claims:    []claimOf{claimID},
	},
	{
		// Neither the body nor the ID in it is covered by the token, which is
		// used for many messages: whoever has a token can send what they like
		// for as long as it is valid. Both are claimed, the ID because later
		// attempts count themselves in the body.
		Provider: Provider{
			Name:        "google_pubsub",
			Title:       "Google Cloud Pub/Sub",
			Description: "Push subscriptions of Pub/Sub with authentication: an ID token of Google. The token does not cover the body, so use HTTPS only, and its age is not that of the message, so tolerance does not apply. It takes no secret.",
			Source:      "https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions",
			Keyless:     true,
			Parameters: []Parameter{
				{Name: "audience", Description: "The audience of the push subscription, which is its URL unless another was chosen.", Required: true},
				{Name: "email", Description: "The service account of the push subscription. Anybody can have a token issued for any audience, so it is needed.", Required: true},
			},
		},
		newScheme: newGooglePubSubScheme,
		claims:    []claimOf{claimID, claimContent},
	},
	{
		Provider: Provider{
			Name:        "http_signatures",
			Title:       "HTTP Message Signatures",
			Description: "Any sender that follows RFC 9421 and covers the body with Content-Digest. The secret is an HMAC secret, or a public key in PEM form or base64. The nonce is the event ID, if there is one.",
			Source:      "https://www.rfc-editor.org/rfc/rfc9421",
			Timestamped: true,
			IDSigned:    true,
			Parameters: []Parameter{
				{Name: "algorithm", Description: "How requests are signed: hmac-sha256, ed25519, ecdsa-p256-sha256, rsa-pss-sha512 or rsa-v1_5-sha256. Default: hmac-sha256."},
				{Name: "components", Description: "What the signature must cover, separated by spaces. Default: @method, one of @target-uri, @path and @request-target, and content-digest. A body is never accepted without content-digest."},
				{Name: "keyid", Description: "The keyid that the signature must have. Default: any."},
				{Name: "tag", Description: "The tag that the signature must have. Default: any."},
			},
		},
		newScheme: newMessageScheme,
		claims:    []claimOf{claimID},
	},
	{
		Provider: Provider{
			Name:        "hubspot",
			Title:       "HubSpot",
			Description: "Webhooks of HubSpot with version 3 of the signature: an HMAC over the method, the URL, the body and the time. The secret is the client secret of the app. Set url if a proxy stands before the server.",
			Source:      "https://developers.hubspot.com/docs/apps/developer-platform/build-apps/authentication/request-validation",
			Timestamped: true,
		},
		newScheme: newHubSpotScheme,
		claims:    []claimOf{claimContent},
	},
	{
		Provider: Provider{
			Name:        "hubspot_v1",
			Title:       "HubSpot (version 1)",
			Description: "Webhooks of HubSpot with version 1 of the signature: a hash of the secret and the body. The secret is the client secret of the app. Use hubspot where you can: this signature covers no time.",
			Source:      "https://developers.hubspot.com/docs/apps/legacy-apps/authentication/validating-requests",
		},
		newScheme: newHubSpotV1Scheme,
		claims:    []claimOf{claimContent},
	},
	{
		Provider: Provider{
			Name:        "hubspot_v2",
			Title:       "HubSpot (version 2)",
			Description: "Webhooks of HubSpot with version 2 of the signature: a hash of the secret, the method, the URL and the body. The secret is the client secret of the app. Use hubspot where you can: this signature covers no time.",
			Source:      "https://developers.hubspot.com/docs/apps/legacy-apps/authentication/validating-requests",
		},
		newScheme: newHubSpotV2Scheme,
		claims:    []claimOf{claimContent},
	},
	{
		Provider: Provider{
			Name:        "jwt",
			Title:       "JSON Web Token",
			Description: "Any sender whose requests carry a JSON Web Token of an issuer that publishes its keys. Unless body_claim is set, the token does not cover the body, so use HTTPS only. A token counts until its claim exp; tolerance applies to the claim iat of one without. It takes no secret.",
			Source:      "https://www.rfc-editor.org/rfc/rfc7519",
			Timestamped: true,
			IDSigned:    true,
			Keyless:     true,
			Parameters: []Parameter{
				{Name: "issuer", Description: "The claim iss that the token must have.", Required: true},
				{Name: "audience", Description: "The audience that the token must be for: its claim aud.", Required: true},
				{Name: "jwks_url", Description: "Where the issuer publishes its keys: an https URL.", Required: true},
				{Name: "subject", Description: "The claim sub that the token must have. Default: any."},
				{Name: "header", Description: "The header that holds the token. Default: Authorization, after \"Bearer\"."},
				{Name: "algorithms", Description: "The algorithms that tokens may be signed with, separated by commas, such as RS256. Default: all with public keys."},
				{Name: "body_claim", Description: "The claim that holds the SHA-256 of the body, in hex or base64. Default: there is none."},
			},
		},
		newScheme: newTokenScheme,
		claims:    []claimOf{claimID},
	},
	{
		Provider: Provider{
			Name:        "mailgun",
			Title:       "Mailgun",
			Description: "Webhooks of Mailgun: an HMAC over a time and a token in the body. It does NOT cover the event: whoever sees a request can put another event into it, once, before it arrives. The secret is the HTTP webhook signing key.",
			Source:      "https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks",
			Timestamped: true,
			IDSigned:    true,
		},
		newScheme: newMailgunScheme,
		claims:    []claimOf{claimID},
	},
	{
		Provider: Provider{
			Name:        "payos",
			Title:       "payOS",
			Description: "Webhooks of payOS: an HMAC over the member \"data\" of the body. It does not cover the others, such as \"success\". The secret is the checksum key.",
			Source:      "https://payos.vn/docs/tich-hop-webhook/kiem-tra-du-lieu-voi-signature/",
		},
		newScheme: newPayOSScheme,
		claims:    []claimOf{claimContent},
	},
	{
		Provider: Provider{
			Name:         "paypal",
			Title:        "PayPal",
			Description:  "Webhooks of PayPal, verified with the certificate that PayPal publishes. The signature covers a CRC-32 of the body, which is easily matched: whoever sees a request can put another body into it, once, before it arrives. It takes no secret.",
			Source:       "https://developer.paypal.com/api/rest/webhooks/rest/",
			Experimental: true,
			Timestamped:  true,
			Keyless:      true,
			Parameters: []Parameter{
				{Name: "webhook_id", Description: "The ID of the webhook, from PayPal's developer dashboard.", Required: true},
			},
		},
		newScheme: newPayPalScheme,
		claims:    []claimOf{claimID, claimContent},
	},
	{
		Provider: Provider{
			Name:        "plaid",
			Title:       "Plaid",
			Description: "Webhooks of Plaid: a token that holds the digest of the body, and is verified with a key that Plaid's API gives out. The secret is the API secret.",
			Source:      "https://plaid.com/docs/api/webhooks/webhook-verification/",
			Timestamped: true,
			Parameters: []Parameter{
				{Name: "client_id", Description: "The client_id of the Plaid account.", Required: true},
				{Name: "environment", Description: "Which API to ask: production or sandbox. Default: production."},
			},
		},
		newScheme: newPlaidScheme,
		claims:    []claimOf{claimContent},
	},
	{
		Provider: Provider{
			Name:        "sns",
			Title:       "Amazon SNS",
			Description: "HTTPS subscriptions of Amazon SNS, verified with the certificate that Amazon publishes. Later attempts carry the time of the first, so they are accepted for an hour more than tolerance. It takes no secret.",
			Source:      "https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html",
			Timestamped: true,
			IDSigned:    true,
			Keyless:     true,
			Parameters: []Parameter{
				{Name: "topics", Description: "The ARNs of the topics that may send, separated by commas, or \"*\" for those of anybody who has an AWS account.", Required: true},
				{Name: "confirm_subscriptions", Description: "true to confirm subscriptions to these topics; otherwise the application gets the request to confirm. Default: false."},
			},
		},
		newScheme: newSNSScheme,
		claims:    []claimOf{claimID},
	},
	{
		Provider: Provider{
			Name:        "twilio",
			Title:       "Twilio",
			Description: "Webhooks of Twilio: an HMAC over the URL and the form, or over the URL with the digest of the body in it. The secret is the auth token. Set url if a proxy stands before the server. It covers no time of sending, so tolerance does not apply.",
			Source:      "https://www.twilio.com/docs/usage/security#validating-requests",
		},
		newScheme: newTwilioScheme,
		id:        source{header: "I-Twilio-Idempotency-Token"},
		claims:    []claimOf{claimContent},
	},
	{
		Provider: Provider{
			Name:         "worldpay",
			Title:        "Worldpay",
			Description:  "Events of Access Worldpay with the Event-Signature header: HMACs over the body. The secret is the shared secret from Worldpay.",
			Source:       "https://developer.worldpay.com/products/access/events/signature/",
			Experimental: true,
			IDSigned:     true,
		},
		newScheme: newWorldpayScheme,
		claims:    []claimOf{claimID},
	},
}
