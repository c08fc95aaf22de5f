package caddymodule

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// defaultInboxID is the ID of what an inbox takes in, unless it is told otherwise.
const defaultInboxID = "{http.webhook.id}"

// newInbox makes the handler of requests that are events themselves.
func newInbox(app *App, p *Publish, tenant func(*http.Request) (string, bool)) (*sender.Inbox, error) {
	if !strings.Contains(p.Type, "{") {
		if err := app.checkType(p.Type); err != nil {
			return nil, err
		}
	}
	id := p.ID
	if id == "" {
		id = defaultInboxID
	}
	return &sender.Inbox{
		Sender:  app.senderFor,
		Type:    perRequest(p.Type),
		ID:      perRequest(id),
		Headers: p.Headers,
		MaxSize: p.MaxSize,
		Tenant:  tenant,
	}, nil
}

// checkType says why an event type that stands in the configuration could not be
// published, if that is so.
func (a *App) checkType(eventType string) error {
	if err := webhook.CheckEventType(eventType); err != nil {
		return err
	}
	types := a.settings.EventTypes
	if len(types) == 0 {
		types = webhook.ManySendsEventTypes()
	}
	catalogue, err := webhook.NewCatalogue(types)
	if err != nil {
		return err // which the app itself tells of, too
	}
	if !catalogue.Knows(eventType) {
		return fmt.Errorf("event type %q is unknown: add it to event_types of the global option webhooks", eventType)
	}
	return nil
}
