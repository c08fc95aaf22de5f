package receiver

// platformProviders are what applications are built on: models, identity,
// media and data.
var platformProviders = []provider{
	{
		Provider: Provider{
			Name: "alchemy", Title: "Alchemy",
			Description: "Webhooks of Alchemy; the secret is the webhook's signing key.",
			Source:      "https://www.alchemy.com/docs/reference/notify-api-quickstart",
		},
		template: &Template{
			Signature: []Place{{Header: "X-Alchemy-Signature"}},
			ID:        []Place{{JSON: "id"}},
			Type:      []Place{{JSON: "type"}},
		},
	},
	{
		Provider: Provider{
			Name: "autodesk", Title: "Autodesk Platform Services",
			Description: "Webhooks of Autodesk Platform Services; the secret is the app's webhook token.",
			Source:      "https://aps.autodesk.com/en/docs/webhooks/v1/developers_guide/callback/",
		},
		template: &Template{
			Algorithm: algorithmHMACSHA1,
			Signature: []Place{{Header: "X-Adsk-Signature", Prefix: "sha1hash="}},
			Type:      []Place{{JSON: "hook.event"}},
		},
	},
	standardProvider("brex", "Brex", "Webhooks of Brex; the secret is the webhook's.", "https://developer.brex.com/docs/webhooks/"),
	{
		Provider: Provider{
			Name: "castle", Title: "Castle",
			Description: "Webhooks of Castle; the secret is the API secret.",
			Source:      "https://docs.castle.io/docs/webhooks",
		},
		template: &Template{
			Encoding:  encodingBase64,
			Signature: []Place{{Header: "X-Castle-Signature"}},
			Type:      []Place{{JSON: "type"}},
		},
	},
	{
		Provider: Provider{
			Name: "checkr", Title: "Checkr",
			Description: "Webhooks of Checkr; the secret is the API key.",
			Source:      "https://docs.checkr.com/#section/Webhooks",
		},
		template: &Template{
			Signature: []Place{{Header: "X-Checkr-Signature"}},
			ID:        []Place{{JSON: "id"}},
			Type:      []Place{{JSON: "type"}},
		},
	},
	{
		Provider: Provider{
			Name: "clearbit", Title: "Clearbit", Experimental: true,
			Description: "Webhooks of Clearbit; the secret is the API key.",
			Source:      "https://dashboard.clearbit.com/docs#webhooks",
		},
		template: &Template{
			Algorithm: algorithmHMACSHA1,
			Signature: []Place{{Header: "X-Request-Signature", Prefix: "sha1="}},
			Type:      []Place{{JSON: "type"}},
		},
	},
	svixProvider("clerk", "Clerk", "Webhooks of Clerk; the secret is the endpoint's signing secret (whsec_…).", "https://clerk.com/docs/webhooks/overview"),
	{
		Provider: Provider{
			Name: "cursor", Title: "Cursor",
			Description: "Webhooks of Cursor background agents; the secret is the webhook's.",
			Source:      "https://cursor.com/docs/cloud-agent/api/webhooks",
		},
		template: &Template{
			Signature: []Place{{Header: "X-Webhook-Signature", Prefix: "sha256="}},
			ID:        []Place{{Header: "X-Webhook-ID"}},
			Type:      []Place{{Header: "X-Webhook-Event"}},
		},
	},
	{
		Provider: Provider{
			Name: "deepgram", Title: "Deepgram",
			Description: "Callbacks of Deepgram; the secret is the identifier of the API key, which is sent as it is and signs nothing.",
			Source:      "https://developers.deepgram.com/docs/callback",
		},
		template: &Template{
			Algorithm: algorithmToken,
			Signature: []Place{{Header: "Dg-Token"}},
			ID:        []Place{{JSON: "metadata.request_id"}},
		},
	},
	unchecked(standardProvider("dodo", "Dodo Payments", "Webhooks of Dodo Payments; the secret is the webhook's (whsec_…).", "https://docs.dodopayments.com/developer-resources/webhooks")),
	{
		Provider: Provider{
			Name: "dub", Title: "Dub",
			Description:  "Webhooks of Dub; the secret is the webhook's signing secret.",
			Source:       "https://dub.co/docs/concepts/webhooks/verify-webhook-requests",
			Experimental: true,
		},
		template: &Template{
			Signature: []Place{{Header: "Dub-Signature"}},
			ID:        []Place{{JSON: "id"}},
			Type:      []Place{{JSON: "event"}},
		},
	},
	{
		Provider: Provider{
			Name: "elevenlabs", Title: "ElevenLabs",
			Description: "Webhooks of ElevenLabs; the secret is the webhook's.",
			Source:      "https://elevenlabs.io/docs/overview/administration/webhooks",
		},
		template: &Template{
			Content:   "{timestamp}.{body}",
			Signature: []Place{{Header: "ElevenLabs-Signature", List: ",", Prefix: "v0="}},
			Timestamp: []Place{{Header: "ElevenLabs-Signature", List: ",", Prefix: "t="}},
			Type:      []Place{{JSON: "type"}},
		},
	},
	standardProvider("incident_io", "incident.io", "Webhooks of incident.io; the secret is the endpoint's signing secret (whsec_…).", "https://docs.incident.io/api-reference/webhooks"),
	{
		Provider: Provider{
			Name: "mongodb_atlas", Title: "MongoDB Atlas",
			Description:  "Alerts of MongoDB Atlas to a webhook; the secret is the webhook secret.",
			Source:       "https://www.mongodb.com/docs/atlas/tutorial/third-party-service-integrations/",
			Experimental: true,
		},
		template: &Template{
			Algorithm: algorithmHMACSHA1,
			Encoding:  encodingBase64,
			Signature: []Place{{Header: "X-MMS-Signature"}},
			Type:      []Place{{Header: "X-MMS-Event"}},
		},
	},
	{
		Provider: Provider{
			Name: "mux", Title: "Mux",
			Description: "Webhooks of Mux; the secret is the webhook's signing secret.",
			Source:      "https://www.mux.com/docs/core/verify-webhook-signatures",
		},
		template: &Template{
			Content:   "{timestamp}.{body}",
			Signature: []Place{{Header: "Mux-Signature", List: ",", Prefix: "v1="}},
			Timestamp: []Place{{Header: "Mux-Signature", List: ",", Prefix: "t="}},
			ID:        []Place{{JSON: "id"}},
			Type:      []Place{{JSON: "type"}},
		},
	},
	standardProvider("openai", "OpenAI", "Webhooks of OpenAI; the secret is the endpoint's signing secret (whsec_…).", "https://platform.openai.com/docs/guides/webhooks"),
	{
		// While a secret is changed there are two pairs, with a space between.
		Provider: Provider{
			Name: "persona", Title: "Persona",
			Description: "Webhooks of Persona; the secret is the webhook's (wbhsec_…).",
			Source:      "https://docs.withpersona.com/webhooks-best-practices",
		},
		template: &Template{
			Content:   "{timestamp}.{body}",
			Signature: []Place{{Header: "Persona-Signature", List: ", ", Prefix: "v1="}},
			Timestamp: []Place{{Header: "Persona-Signature", List: ", ", Prefix: "t="}},
			ID:        []Place{{JSON: "data.id"}},
			Type:      []Place{{JSON: "data.attributes.name"}},
		},
	},
	{
		Provider: Provider{
			Name: "pinwheel", Title: "Pinwheel",
			Description: "Webhooks of Pinwheel; the secret is the API secret.",
			Source:      "https://docs.pinwheelapi.com/public/docs/webhook-signature-verification",
		},
		template: &Template{
			Content:   "v2:{timestamp}:{body}",
			Signature: []Place{{Header: "X-Pinwheel-Signature", Prefix: "v2="}},
			Timestamp: []Place{{Header: "X-Timestamp"}},
			Type:      []Place{{JSON: "event"}},
		},
	},
	{
		// The SDK makes base64 of the secret before it gives it to the library
		// for Standard Webhooks, so the text itself is the key.
		Provider: Provider{
			Name: "polar", Title: "Polar",
			Description: "Webhooks of Polar; the secret is the endpoint's, taken as it is.",
			Source:      "https://polar.sh/docs/integrate/webhooks/delivery",
		},
		template: &Template{
			Content:   "{id}.{timestamp}.{body}",
			Encoding:  encodingBase64,
			Signature: []Place{{Header: "Webhook-Signature", List: " ", Prefix: "v1,"}},
			Timestamp: []Place{{Header: "Webhook-Timestamp"}},
			ID:        []Place{{Header: "Webhook-Id"}},
			Type:      []Place{{JSON: "type"}},
		},
	},
	standardProvider("render", "Render", "Webhooks of Render; the secret is the webhook's signing secret (whsec_…).", "https://render.com/docs/webhooks"),
	standardProvider("replicate", "Replicate", "Webhooks of Replicate; the secret is the signing secret (whsec_…).", "https://replicate.com/docs/topics/webhooks/verify-webhook"),
	{
		Provider: Provider{
			Name: "sanity", Title: "Sanity",
			Description: "Webhooks of Sanity; the secret is the webhook's.",
			Source:      "https://github.com/sanity-io/webhook-toolkit",
		},
		template: &Template{
			Content:         "{timestamp}.{body}",
			Encoding:        encodingBase64URL,
			Signature:       []Place{{Header: "Sanity-Webhook-Signature", List: ",", Prefix: "v1="}},
			Timestamp:       []Place{{Header: "Sanity-Webhook-Signature", List: ",", Prefix: "t="}},
			TimestampFormat: formatUnixMS,
			ID:              []Place{{Header: "Idempotency-Key"}},
		},
	},
	{
		Provider: Provider{
			Name: "segment", Title: "Segment",
			Description:  "Webhook destinations of Segment; the secret is the destination's shared secret.",
			Source:       "https://segment.com/docs/connections/destinations/catalog/webhooks/",
			Experimental: true,
		},
		template: &Template{
			Algorithm: algorithmHMACSHA1,
			Signature: []Place{{Header: "X-Signature"}},
			ID:        []Place{{JSON: "messageId"}},
			Type:      []Place{{JSON: "type"}},
		},
	},
	{
		// A subscription's secret is given as "v1,whsec_" and base64.
		Provider: Provider{
			Name: "supabase", Title: "Supabase",
			Description: "Auth hooks of Supabase; the secret is the hook's (v1,whsec_…).",
			Source:      "https://supabase.com/docs/guides/auth/auth-hooks",
		},
		template: svixTemplate,
	},
	{
		Provider: Provider{
			Name: "svix", Title: "Svix",
			Description: "Any sender that uses Svix, with headers that start with svix- or webhook-; the secret is the endpoint's signing secret (whsec_…).",
			Source:      "https://docs.svix.com/receiving/verifying-payloads/how-manual",
		},
		template: svixTemplate,
	},
	{
		Provider: Provider{
			Name: "workos", Title: "WorkOS",
			Description: "Webhooks of WorkOS; the secret is the endpoint's.",
			Source:      "https://workos.com/docs/events/data-syncing/webhooks",
		},
		template: &Template{
			Content:         "{timestamp}.{body}",
			Signature:       []Place{{Header: "WorkOS-Signature", List: ",", Prefix: "v1="}},
			Timestamp:       []Place{{Header: "WorkOS-Signature", List: ",", Prefix: "t="}},
			TimestampFormat: formatUnixMS,
			ID:              []Place{{JSON: "id"}},
			Type:            []Place{{JSON: "event"}},
		},
	},
}
