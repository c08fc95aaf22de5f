package receiver

// workProviders are what people work with: documents, tasks, calendars and
// customers.
var workProviders = []provider{
	{
		Provider: Provider{
			Name: "airtable", Title: "Airtable",
			Description: "Notification pings of Airtable; the secret is the webhook's macSecretBase64.",
			Source:      "https://airtable.com/developers/web/api/webhooks-overview",
		},
		template: &Template{
			Key:       keyBase64,
			Signature: []Place{{Header: "X-Airtable-Content-MAC", Prefix: "hmac-sha256="}},
		},
	},
	{
		Provider: Provider{
			Name: "asana", Title: "Asana",
			Description:  "Webhooks of Asana; the secret is the X-Hook-Secret that Asana sends when the webhook is made.",
			Source:       "https://developers.asana.com/docs/webhooks-guide",
			Experimental: true,
		},
		template: &Template{
			Signature: []Place{{Header: "X-Hook-Signature"}},
		},
	},
	{
		Provider: Provider{
			Name: "attio", Title: "Attio",
			Description: "Webhooks of Attio; the secret is the webhook's.",
			Source:      "https://docs.attio.com/rest-api/guides/webhooks",
		},
		template: &Template{
			Signature: []Place{{Header: "X-Attio-Signature"}, {Header: "Attio-Signature"}},
			Type:      []Place{{JSON: "events.0.event_type"}},
		},
	},
	{
		// The ID in the body stays the same when Box tries again; that in the
		// header does not.
		Provider: Provider{
			Name: "box", Title: "Box",
			Description: "Webhooks V2 of Box; the secrets are the app's primary and secondary signature keys.",
			Source:      "https://developer.box.com/guides/webhooks/v2/signatures-v2/",
		},
		template: &Template{
			Content:         "{body}{timestamp}",
			Encoding:        encodingBase64,
			Signature:       []Place{{Header: "Box-Signature-Primary"}, {Header: "Box-Signature-Secondary"}},
			Timestamp:       []Place{{Header: "Box-Delivery-Timestamp"}},
			TimestampFormat: formatRFC3339,
			ID:              []Place{{JSON: "id"}},
			Type:            []Place{{JSON: "trigger"}},
		},
	},
	{
		Provider: Provider{
			Name: "calcom", Title: "Cal.com",
			Description: "Webhooks of Cal.com; the secret is the webhook's.",
			Source:      "https://cal.com/docs/developing/guides/automation/webhooks",
		},
		template: &Template{
			Signature: []Place{{Header: "X-Cal-Signature-256"}},
			Type:      []Place{{JSON: "triggerEvent"}},
		},
	},
	{
		Provider: Provider{
			Name: "calendly", Title: "Calendly",
			Description: "Webhooks of Calendly; the secret is the subscription's signing key.",
			Source:      "https://developer.calendly.com/api-docs/4c305798a61d3-webhook-signatures",
		},
		template: &Template{
			Content:   "{timestamp}.{body}",
			Signature: []Place{{Header: "Calendly-Webhook-Signature", List: ",", Prefix: "v1="}},
			Timestamp: []Place{{Header: "Calendly-Webhook-Signature", List: ",", Prefix: "t="}},
			Type:      []Place{{JSON: "event"}},
		},
	},
	{
		Provider: Provider{
			Name: "clickup", Title: "ClickUp",
			Description: "Webhooks of ClickUp; the secret is the webhook's.",
			Source:      "https://developer.clickup.com/docs/webhooksignature",
		},
		template: &Template{
			Signature: []Place{{Header: "X-Signature"}},
			Type:      []Place{{JSON: "event"}},
		},
	},
	{
		Provider: Provider{
			Name: "docusign", Title: "Docusign",
			Description: "Docusign Connect with HMAC; the secrets are the account's Connect keys.",
			Source:      "https://developers.docusign.com/platform/webhooks/connect/hmac/",
		},
		template: &Template{
			Encoding:  encodingBase64,
			Signature: []Place{{Header: "X-DocuSign-Signature-{n}"}},
			Type:      []Place{{JSON: "event"}},
		},
	},
	{
		// A notification names the accounts that changed and nothing else.
		Provider: Provider{
			Name: "dropbox", Title: "Dropbox",
			Description:  "Webhooks of Dropbox; the secret is the app secret.",
			Source:       "https://www.dropbox.com/developers/reference/webhooks",
			Alike:        true,
			Experimental: true,
		},
		template: &Template{
			Signature: []Place{{Header: "X-Dropbox-Signature"}},
		},
	},
	{
		Provider: Provider{
			Name: "figma", Title: "Figma",
			Description: "Webhooks V2 of Figma; the secret is the webhook's passcode, which is sent as it is and signs nothing.",
			Source:      "https://developers.figma.com/docs/rest-api/webhooks-security/",
		},
		template: &Template{
			Algorithm: algorithmToken,
			Signature: []Place{{JSON: "passcode"}},
			Type:      []Place{{JSON: "event_type"}},
		},
	},
	{
		Provider: Provider{
			Name: "frameio", Title: "Frame.io",
			Description: "Webhooks of Frame.io; the secret is the webhook's signing key.",
			Source:      "https://developer.frame.io/platform/v2/webhooks-overview",
		},
		template: &Template{
			Content:   "v0:{timestamp}:{body}",
			Signature: []Place{{Header: "X-Frameio-Signature", Prefix: "v0="}},
			Timestamp: []Place{{Header: "X-Frameio-Request-Timestamp"}},
			Type:      []Place{{JSON: "type"}},
		},
	},
	{
		Provider: Provider{
			Name: "jira", Title: "Jira",
			Description: "Webhooks of Jira; the secret is the webhook's.",
			Source:      "https://developer.atlassian.com/cloud/jira/software/webhooks/#secure-admin-webhooks",
		},
		template: &Template{
			Signature: []Place{{Header: "X-Hub-Signature", Prefix: "sha256="}},
			ID:        []Place{{Header: "X-Atlassian-Webhook-Identifier"}},
			Type:      []Place{{JSON: "webhookEvent"}},
		},
	},
	{
		Provider: Provider{
			Name: "jobber", Title: "Jobber",
			Description: "Webhooks of Jobber; the secret is the app's client secret.",
			Source:      "https://developer.getjobber.com/docs/using_jobbers_api/setting_up_webhooks/",
		},
		template: &Template{
			Encoding:  encodingBase64,
			Signature: []Place{{Header: "X-Jobber-Hmac-SHA256"}},
			Type:      []Place{{JSON: "data.webHookEvent.topic"}},
		},
	},
	{
		Provider: Provider{
			Name: "klaviyo", Title: "Klaviyo",
			Description: "System webhooks of Klaviyo; the secret is the webhook's secret key.",
			Source:      "https://developers.klaviyo.com/en/docs/working_with_system_webhooks",
		},
		template: &Template{
			Content:         "{body}{timestamp}",
			Signature:       []Place{{Header: "Klaviyo-Signature"}},
			Timestamp:       []Place{{Header: "Klaviyo-Timestamp"}},
			TimestampFormat: formatAuto,
		},
	},
	{
		// The header with the time is not signed; the body has it once more.
		Provider: Provider{
			Name: "linear", Title: "Linear",
			Description: "Webhooks of Linear; the secret is the webhook's signing secret.",
			Source:      "https://linear.app/developers/webhooks#securing-webhooks",
		},
		template: &Template{
			Signature:       []Place{{Header: "Linear-Signature"}},
			Timestamp:       []Place{{JSON: "webhookTimestamp"}},
			TimestampFormat: formatUnixMS,
			ID:              []Place{{Header: "Linear-Delivery"}},
			Type:            []Place{{JSON: "type"}},
		},
	},
	{
		Provider: Provider{
			Name: "linkedin", Title: "LinkedIn",
			Description:  "Webhooks of LinkedIn; the secret is the app's client secret.",
			Source:       "https://learn.microsoft.com/en-us/linkedin/shared/api-guide/webhook-validation",
			Experimental: true,
		},
		template: &Template{
			Content:   "hmacsha256={body}",
			Signature: []Place{{Header: "X-LI-Signature"}},
			Type:      []Place{{JSON: "type"}},
		},
	},
	{
		Provider: Provider{
			Name: "notion", Title: "Notion",
			Description: "Webhooks of Notion; the secret is the verification token that Notion sends when the subscription is made.",
			Source:      "https://developers.notion.com/reference/webhooks",
		},
		template: &Template{
			Signature: []Place{{Header: "X-Notion-Signature", Prefix: "sha256="}},
			ID:        []Place{{JSON: "id"}},
			Type:      []Place{{JSON: "type"}},
		},
	},
	{
		Provider: Provider{
			Name: "trello", Title: "Trello",
			Description:  "Webhooks of Trello; the secret is the app's secret, and url must be the webhook's callback URL.",
			Source:       "https://developer.atlassian.com/cloud/trello/guides/rest-api/webhooks/#webhook-signatures",
			Experimental: true,
		},
		template: &Template{
			Algorithm: algorithmHMACSHA1,
			Content:   "{body}{url}",
			Encoding:  encodingBase64,
			Signature: []Place{{Header: "X-Trello-Webhook"}},
			ID:        []Place{{JSON: "action.id"}},
			Type:      []Place{{JSON: "action.type"}},
		},
	},
	{
		Provider: Provider{
			Name: "typeform", Title: "Typeform",
			Description:  "Webhooks of Typeform; the secret is the webhook's.",
			Source:       "https://www.typeform.com/developers/webhooks/secure-your-webhooks/",
			Experimental: true,
		},
		template: &Template{
			Encoding:  encodingBase64,
			Signature: []Place{{Header: "Typeform-Signature", Prefix: "sha256="}},
			ID:        []Place{{JSON: "event_id"}},
			Type:      []Place{{JSON: "event_type"}},
		},
	},
	{
		// The documentation has the time in milliseconds, older senders in
		// seconds.
		Provider: Provider{
			Name: "webflow", Title: "Webflow",
			Description: "Webhooks of Webflow; the secret is the webhook's, or the app's client secret.",
			Source:      "https://developers.webflow.com/data/docs/working-with-webhooks",
		},
		template: &Template{
			Content:         "{timestamp}:{body}",
			Signature:       []Place{{Header: "X-Webflow-Signature"}},
			Timestamp:       []Place{{Header: "X-Webflow-Timestamp"}},
			TimestampFormat: formatAuto,
			Type:            []Place{{JSON: "triggerType"}},
		},
	},
}
