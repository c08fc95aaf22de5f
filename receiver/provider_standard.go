package receiver

import "github.com/manysends/caddy-webhooks/webhook"

// standardProviders follow Standard Webhooks, or are described by the user.
var standardProviders = []provider{
	{
		// It is completed by Config.Template.
		Provider: Provider{
			Name:        customName,
			Description: "Any other sender, by rules of your own in template.",
		},
		claims: []claimOf{claimContent},
	},
	{
		Provider: Provider{
			Name:        "manysends",
			Title:       "ManySends",
			Description: "Webhooks of ManySends: the Standard Webhooks headers over the exact body; the event type is the body member \"event\".",
			Source:      "https://github.com/manysends/caddy-webhooks",
			Timestamped: true,
			IDSigned:    true,
		},
		standard:  true,
		id:        source{header: webhook.HeaderID},
		claims:    []claimOf{claimID},
		eventType: source{member: "event"},
	},
	{
		// What a relay does to the headers does not matter here, so the ID is
		// only for people to read. It is not claimed: the signature does not
		// cover it, so whoever has one authentic body could use up the ID of
		// an event that is still to come, and a relay that sends the same ID
		// each time would lose all events but the first. The content is what
		// the provider vouches for, so the content alone decides: the same
		// content under a fresh ID is a duplicate, and other content under
		// the same ID is another event.
		Provider: Provider{
			Name:        "manysends_body",
			Title:       "ManySends",
			Description: "Webhooks of ManySends through a relay that passes on nothing but the body: the signature is the body's last member. It carries no time of sending, so tolerance does not apply.",
			Source:      "https://github.com/manysends/caddy-webhooks",
		},
		newScheme: newBodyScheme,
		id:        source{header: webhook.HeaderID},
		claims:    []claimOf{claimContent},
		eventType: source{member: "event"},
	},
	{
		Provider: Provider{
			Name:        "standard",
			Title:       "Standard Webhooks",
			Description: "Any sender that follows Standard Webhooks (webhook-id, webhook-timestamp and webhook-signature); the event type is the body member \"type\".",
			Source:      "https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md",
			Timestamped: true,
			IDSigned:    true,
		},
		standard:  true,
		id:        source{header: webhook.HeaderID},
		claims:    []claimOf{claimID},
		eventType: source{member: "type"},
	},
}

// standardProvider is a row for a provider that follows Standard Webhooks.
func standardProvider(name, title, description, documentation string) provider {
	return provider{
		Provider: Provider{
			Name: name, Title: title, Description: description, Source: documentation,
			Timestamped: true, IDSigned: true,
		},
		standard:  true,
		id:        source{header: webhook.HeaderID},
		claims:    []claimOf{claimID},
		eventType: source{member: "type"},
	}
}

// unchecked marks a row as experimental.
func unchecked(p provider) provider {
	p.Experimental = true
	return p
}

// svixProvider is a row for a provider whose headers are still called as Svix
// called them before Standard Webhooks.
func svixProvider(name, title, description, source string) provider {
	return provider{
		Provider: Provider{Name: name, Title: title, Description: description, Source: source},
		template: svixTemplate,
	}
}

// svixTemplate takes both kinds of headers.
var svixTemplate = &Template{
	Key:      keyWhsec,
	Content:  "{id}.{timestamp}.{body}",
	Encoding: encodingBase64,
	Signature: []Place{
		{Header: "Svix-Signature", List: " ", Prefix: "v1,"},
		{Header: "Webhook-Signature", List: " ", Prefix: "v1,"},
	},
	Timestamp: []Place{{Header: "Svix-Timestamp"}, {Header: "Webhook-Timestamp"}},
	ID:        []Place{{Header: "Svix-Id"}, {Header: "Webhook-Id"}},
	Type:      []Place{{JSON: "type"}},
}
