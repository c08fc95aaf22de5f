package receiver

// messageProviders carry messages: chat, mail, telephone and social networks.
var messageProviders = []provider{
	{
		Provider: Provider{
			Name: "ably", Title: "Ably",
			Description:  "Webhooks of Ably with a signing key; the secret is the part of the API key after the colon.",
			Source:       "https://ably.com/docs/platform/integrations/webhooks#security",
			Experimental: true,
		},
		template: &Template{
			Encoding:  encodingBase64,
			Signature: []Place{{Header: "X-Ably-Signature"}},
		},
	},
	{
		Provider: Provider{
			Name: "airship", Title: "Airship",
			Description:  "Webhooks of Airship open channels and custom webhooks with signature hash authentication; the secret is the secret key.",
			Source:       "https://docs.airship.com/guides/messaging/user-guide/channels/open-channels/open-channels/",
			Experimental: true,
		},
		template: &Template{
			Content:   "{timestamp}:{body}",
			Signature: []Place{{Header: "X-UA-Signature"}},
			Timestamp: []Place{{Header: "X-UA-Timestamp"}},
		},
	},
	{
		Provider: Provider{
			Name: "chatwoot", Title: "Chatwoot",
			Description: "Webhooks of Chatwoot; the secret is the webhook's.",
			Source:      "https://www.chatwoot.com/hc/user-guide/articles/1677693021-how-to-use-webhooks",
		},
		template: &Template{
			Content:   "{timestamp}.{body}",
			Signature: []Place{{Header: "X-Chatwoot-Signature", Prefix: "sha256="}},
			Timestamp: []Place{{Header: "X-Chatwoot-Timestamp"}},
			ID:        []Place{{Header: "X-Chatwoot-Delivery"}},
			Type:      []Place{{JSON: "event"}},
		},
	},
	{
		Provider: Provider{
			Name: "customerio", Title: "Customer.io",
			Description: "Reporting webhooks and webhook actions of Customer.io; the secret is the webhook signing key.",
			Source:      "https://docs.customer.io/journeys/webhooks-action/#securely-verify-requests",
		},
		template: &Template{
			Content:   "v0:{timestamp}:{body}",
			Signature: []Place{{Header: "X-CIO-Signature"}},
			Timestamp: []Place{{Header: "X-CIO-Timestamp"}},
			ID:        []Place{{JSON: "event_id"}},
			Type:      []Place{{JSON: "metric"}},
		},
	},
	{
		Provider: Provider{
			Name: "discord", Title: "Discord",
			Description: "Interactions and webhook events of Discord; the secret is the application's public key, in hex.",
			Source:      "https://discord.com/developers/docs/interactions/overview#validating-security-request-headers",
		},
		template: &Template{
			Algorithm: algorithmEd25519,
			Content:   "{timestamp}{body}",
			Signature: []Place{{Header: "X-Signature-Ed25519"}},
			Timestamp: []Place{{Header: "X-Signature-Timestamp"}},
			ID:        []Place{{JSON: "id"}},
			Type:      []Place{{JSON: "event.type"}, {JSON: "type"}},
		},
	},
	metaProvider("facebook", "Facebook", "Webhooks of the Facebook Graph API; the secret is the app secret."),
	{
		Provider: Provider{
			Name: "front", Title: "Front",
			Description: "Application webhooks of Front; the secret is the app's signing key.",
			Source:      "https://dev.frontapp.com/docs/application-webhooks",
		},
		template: &Template{
			Content:         "{timestamp}:{body}",
			Encoding:        encodingBase64,
			Signature:       []Place{{Header: "X-Front-Signature"}},
			Timestamp:       []Place{{Header: "X-Front-Request-Timestamp"}},
			TimestampFormat: formatUnixMS,
			Type:            []Place{{JSON: "type"}},
		},
	},
	{
		Provider: Provider{
			Name: "helpscout", Title: "Help Scout",
			Description: "Webhooks of Help Scout; the secret is the webhook's secret key.",
			Source:      "https://developer.helpscout.com/webhooks/",
		},
		template: &Template{
			Algorithm: algorithmHMACSHA1,
			Encoding:  encodingBase64,
			Signature: []Place{{Header: "X-HelpScout-Signature"}},
			Type:      []Place{{Header: "X-HelpScout-Event"}},
		},
	},
	metaProvider("instagram", "Instagram", "Webhooks of Instagram; the secret is the app secret."),
	{
		Provider: Provider{
			Name: "intercom", Title: "Intercom",
			Description: "Webhooks of Intercom; the secret is the app's client secret.",
			Source:      "https://developers.intercom.com/docs/webhooks/setting-up-webhooks#signed-notifications",
		},
		template: &Template{
			Algorithm: algorithmHMACSHA1,
			Signature: []Place{{Header: "X-Hub-Signature", Prefix: "sha1="}},
			ID:        []Place{{JSON: "id"}},
			Type:      []Place{{JSON: "topic"}},
		},
	},
	{
		Provider: Provider{
			Name: "line", Title: "LINE",
			Description: "Webhooks of the LINE Messaging API; the secret is the channel secret.",
			Source:      "https://developers.line.biz/en/docs/messaging-api/verify-webhook-signature/",
		},
		template: &Template{
			Encoding:  encodingBase64,
			Signature: []Place{{Header: "X-Line-Signature"}},
			Type:      []Place{{JSON: "events.0.type"}},
		},
	},
	unchecked(standardProvider("loops", "Loops", "Webhooks of Loops; the secret is the webhook's signing secret (whsec_…).", "https://loops.so/docs/webhooks")),
	metaProvider("messenger", "Messenger", "Webhooks of the Messenger Platform; the secret is the app secret."),
	{
		Provider: Provider{
			Name: "microsoft_teams", Title: "Microsoft Teams",
			Description:  "Outgoing webhooks of Microsoft Teams; the secret is the security token.",
			Source:       "https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/add-outgoing-webhook",
			Experimental: true,
		},
		template: &Template{
			Key:       keyBase64,
			Encoding:  encodingBase64,
			Signature: []Place{{Header: "Authorization", Prefix: "HMAC "}},
			Type:      []Place{{JSON: "type"}},
		},
	},
	{
		Provider: Provider{
			Name: "nylas", Title: "Nylas",
			Description:  "Webhooks of Nylas; the secret is the webhook secret.",
			Source:       "https://developer.nylas.com/docs/v3/notifications/",
			Experimental: true,
		},
		template: &Template{
			Signature: []Place{{Header: "X-Nylas-Signature"}},
			ID:        []Place{{JSON: "id"}},
			Type:      []Place{{JSON: "type"}},
		},
	},
	{
		Provider: Provider{
			Name: "pusher", Title: "Pusher Channels",
			Description: "Webhooks of Pusher Channels; the secret is that of the app key.",
			Source:      "https://pusher.com/docs/channels/server_api/webhooks/#authentication",
		},
		template: &Template{
			Signature: []Place{{Header: "X-Pusher-Signature"}},
			Type:      []Place{{JSON: "events.0.name"}},
		},
	},
	svixProvider("resend", "Resend", "Webhooks of Resend; the secret is the webhook's signing secret (whsec_…).", "https://resend.com/docs/dashboard/webhooks/verify-webhooks-requests"),
	{
		Provider: Provider{
			Name: "sendgrid", Title: "Twilio SendGrid",
			Description: "The Event Webhook of Twilio SendGrid, signed; the secret is the verification key.",
			Source:      "https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features",
		},
		template: &Template{
			Algorithm: algorithmECDSA,
			Content:   "{timestamp}{body}",
			Encoding:  encodingBase64,
			Signature: []Place{{Header: "X-Twilio-Email-Event-Webhook-Signature"}},
			Timestamp: []Place{{Header: "X-Twilio-Email-Event-Webhook-Timestamp"}},
			Type:      []Place{{JSON: "0.event"}},
		},
	},
	{
		Provider: Provider{
			Name: "sinch", Title: "Sinch",
			Description:  "Webhooks of the Sinch Conversation API; the secret is the webhook's.",
			Source:       "https://developers.sinch.com/docs/conversation/callbacks/",
			Experimental: true,
		},
		template: &Template{
			Content:   "{body}.{header.X-Sinch-Webhook-Signature-Nonce}.{timestamp}",
			Encoding:  encodingBase64,
			Signature: []Place{{Header: "X-Sinch-Webhook-Signature"}},
			Timestamp: []Place{{Header: "X-Sinch-Webhook-Signature-Timestamp"}},
		},
	},
	{
		// Forms, which interactions and commands are sent as, have no ID.
		Provider: Provider{
			Name: "slack", Title: "Slack",
			Description: "Events, interactions and slash commands of Slack; the secret is the app's signing secret.",
			Source:      "https://docs.slack.dev/authentication/verifying-requests-from-slack/",
		},
		template: &Template{
			Content:   "v0:{timestamp}:{body}",
			Signature: []Place{{Header: "X-Slack-Signature", Prefix: "v0="}},
			Timestamp: []Place{{Header: "X-Slack-Request-Timestamp"}},
			ID:        []Place{{JSON: "event_id"}},
			Type:      []Place{{JSON: "event.type"}, {JSON: "type"}},
		},
	},
	{
		Provider: Provider{
			Name: "telegram", Title: "Telegram",
			Description:  "Updates of the Telegram Bot API; the secret is the webhook's secret_token, which is sent as it is and signs nothing.",
			Source:       "https://core.telegram.org/bots/api#setwebhook",
			Experimental: true,
		},
		template: &Template{
			Algorithm: algorithmToken,
			Signature: []Place{{Header: "X-Telegram-Bot-Api-Secret-Token"}},
			ID:        []Place{{JSON: "update_id"}},
		},
	},
	{
		Provider: Provider{
			Name: "telnyx", Title: "Telnyx",
			Description: "Webhooks of Telnyx, API version 2; the secret is the account's public key.",
			Source:      "https://developers.telnyx.com/docs/messaging/messages/receiving-webhooks",
		},
		template: &Template{
			Algorithm: algorithmEd25519,
			Key:       keyBase64,
			Content:   "{timestamp}|{body}",
			Encoding:  encodingBase64,
			Signature: []Place{{Header: "Telnyx-Signature-Ed25519"}},
			Timestamp: []Place{{Header: "Telnyx-Timestamp"}},
			ID:        []Place{{JSON: "data.id"}},
			Type:      []Place{{JSON: "data.event_type"}},
		},
	},
	{
		Provider: Provider{
			Name: "tiktok", Title: "TikTok for Developers",
			Description: "Webhooks of TikTok for Developers, which TikTok Shop is not part of; the secret is the app's client secret.",
			Source:      "https://developers.tiktok.com/doc/webhooks-verification",
		},
		template: &Template{
			Content:   "{timestamp}.{body}",
			Signature: []Place{{Header: "TikTok-Signature", List: ",", Prefix: "s="}},
			Timestamp: []Place{{Header: "TikTok-Signature", List: ",", Prefix: "t="}},
			Type:      []Place{{JSON: "event"}},
		},
	},
	{
		Provider: Provider{
			Name: "twitch", Title: "Twitch",
			Description: "EventSub notifications of Twitch; the secret is the subscription's.",
			Source:      "https://dev.twitch.tv/docs/eventsub/handling-webhook-events/",
		},
		template: &Template{
			Content:         "{id}{timestamp}{body}",
			Signature:       []Place{{Header: "Twitch-Eventsub-Message-Signature", Prefix: "sha256="}},
			Timestamp:       []Place{{Header: "Twitch-Eventsub-Message-Timestamp"}},
			TimestampFormat: formatRFC3339,
			ID:              []Place{{Header: "Twitch-Eventsub-Message-Id"}},
			Type:            []Place{{Header: "Twitch-Eventsub-Subscription-Type"}},
		},
	},
	{
		Provider: Provider{
			Name: "twitter", Title: "X",
			Description:  "Account activity webhooks of X, formerly Twitter; the secret is the app's consumer secret.",
			Source:       "https://docs.x.com/x-api/webhooks/introduction",
			Experimental: true,
		},
		template: &Template{
			Encoding:  encodingBase64,
			Signature: []Place{{Header: "X-Twitter-Webhooks-Signature", Prefix: "sha256="}},
		},
	},
	{
		Provider: Provider{
			Name: "viber", Title: "Viber",
			Description: "Callbacks of Viber bots; the secret is the bot's authentication token.",
			Source:      "https://developers.viber.com/docs/api/rest-bot-api/",
		},
		template: &Template{
			Signature: []Place{{Header: "X-Viber-Content-Signature"}},
			Type:      []Place{{JSON: "event"}},
		},
	},
	{
		Provider: Provider{
			Name: "webex", Title: "Webex",
			Description: "Webhooks of Webex messaging; the secret is the webhook's.",
			Source:      "https://developer.webex.com/docs/api/guides/webhooks",
		},
		template: &Template{
			Algorithm: algorithmHMACSHA1,
			Signature: []Place{{Header: "X-Spark-Signature"}},
			Type:      []Place{{JSON: "event"}},
		},
	},
	metaProvider("whatsapp", "WhatsApp", "Webhooks of the WhatsApp Business Platform; the secret is the app secret."),
	{
		Provider: Provider{
			Name: "zendesk", Title: "Zendesk",
			Description: "Webhooks of Zendesk; the secret is the webhook's signing secret.",
			Source:      "https://developer.zendesk.com/documentation/webhooks/verifying/",
		},
		template: &Template{
			Content:         "{timestamp}{body}",
			Encoding:        encodingBase64,
			Signature:       []Place{{Header: "X-Zendesk-Webhook-Signature"}},
			Timestamp:       []Place{{Header: "X-Zendesk-Webhook-Signature-Timestamp"}},
			TimestampFormat: formatRFC3339,
			ID:              []Place{{JSON: "id"}},
			Type:            []Place{{JSON: "type"}},
		},
	},
	{
		Provider: Provider{
			Name: "zoom", Title: "Zoom",
			Description: "Webhooks of Zoom; the secret is the app's secret token.",
			Source:      "https://developers.zoom.us/docs/api/webhooks/#verify-webhook-events",
		},
		template: &Template{
			Content:   "v0:{timestamp}:{body}",
			Signature: []Place{{Header: "X-Zm-Signature", Prefix: "v0="}},
			Timestamp: []Place{{Header: "X-Zm-Request-Timestamp"}},
			Type:      []Place{{JSON: "event"}},
		},
	},
}

// metaProvider is a row for one of Meta's products, which all sign alike.
func metaProvider(name, title, description string) provider {
	return provider{
		Provider: Provider{
			Name: name, Title: title, Description: description,
			Source: "https://developers.facebook.com/docs/graph-api/webhooks/getting-started#validate-payloads",
		},
		template: &Template{
			Signature: []Place{{Header: "X-Hub-Signature-256", Prefix: "sha256="}},
			Type:      []Place{{JSON: "entry.0.changes.0.field"}, {JSON: "object"}},
		},
	}
}
