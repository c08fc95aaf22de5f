package caddymodule

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

func init() { caddy.RegisterModule(new(PublishEvent)) }

const (
	// maxEventQueue is how many of Caddy's events wait to be published.
	maxEventQueue = 1000

	// eventPatience is how long one try to publish an event may take, and how long
	// the end of a configuration waits for those that are left.
	eventPatience = 5 * time.Second

	// ownEventID begins the IDs of events that tell of our own app. What becomes of
	// their deliveries is not told again, or one that fails would go round for ever.
	ownEventID = "caddy_webhooks:"
)

// PublishEvent publishes events of Caddy's, such as `cert_obtained`, to the
// `webhooks` app, which must be configured. The data are those of Caddy's event,
// and the ID is its ID, with a digest of the event type where that is not the default.
//
// It holds nobody up: events wait in memory until they are published, 1,000 of them
// at most, and then they are on disk.
//
// Events of the `webhooks` app itself are published only where the subscription
// names them, not where it is for all events, and not about deliveries of events
// that were published so.
type PublishEvent struct {
	// The event type. It must be among the `event_types` of the app. Default:
	// `caddy.` and the name of Caddy's event.
	Type string `json:"type,omitempty"`

	// Whose event it is. Default: that of those without a tenant.
	Tenant string `json:"tenant,omitempty"`

	app   *App            // set when the app is provisioned
	named map[string]bool // the events that are subscribed to by name

	log      *slog.Logger
	queue    chan webhook.Event
	dropping sync.Once
	working  sync.Once
	closing  sync.Once
	over     chan struct{} // closed when the configuration has ended
	idle     chan struct{} // closed when nothing will be published any more
}

// CaddyModule returns the Caddy module information.
func (*PublishEvent) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "events.handlers.webhook_publish", New: func() caddy.Module { return new(PublishEvent) }}
}

// Provision makes the handler ready. It does not look for the app, which looks for
// the events app itself: the app finds its handlers there. Whether it has, can be
// told only when all apps have started.
func (h *PublishEvent) Provision(ctx caddy.Context) error {
	h.log = ctx.Slogger()
	for _, module := range ctx.Modules() {
		if events, ok := module.(*caddyevents.App); ok {
			if err := events.On("started", whenUnbound{h}); err != nil {
				return err
			}
		}
	}
	h.queue = make(chan webhook.Event, maxEventQueue)
	h.over = make(chan struct{})
	h.idle = make(chan struct{})
	return nil
}

// bindEventPublishers has the handlers in the events app publish to this app.
func (a *App) bindEventPublishers() error {
	for _, subscription := range a.events.Subscriptions {
		for _, handler := range subscription.Handlers {
			h, ok := handler.(*PublishEvent)
			if !ok {
				continue
			}
			if err := h.bind(a, subscription.Events); err != nil {
				return fmt.Errorf("events: webhook_publish: %w", err)
			}
		}
	}
	return nil
}

// bind tells the handler where to publish, and which events it is subscribed to.
func (h *PublishEvent) bind(a *App, names []string) error {
	if h.Tenant == sender.AnyTenant {
		return errTenantOfEvents
	}
	h.app = a
	h.named = make(map[string]bool, len(names))
	for _, name := range names {
		if name == "" {
			continue
		}
		h.named[strings.ToLower(name)] = true
		if err := a.checkType(h.typeOf(name)); err != nil {
			return err
		}
	}
	if h.Type != "" {
		return a.checkType(h.Type)
	}
	return nil
}

// typeOf is the event type for an event of Caddy's.
func (h *PublishEvent) typeOf(name string) string {
	if h.Type != "" {
		return h.Type
	}
	return defaultType(name)
}

func defaultType(name string) string { return webhook.EventTypeOf("caddy." + name) }

// eventID is that of Caddy's event. Where another type was chosen, a digest of it is
// added: the same event may be published under several.
func eventID(e caddy.Event, eventType string) string {
	id := e.ID().String()
	if eventType == defaultType(e.Name()) {
		return id
	}
	digest := sha256.Sum256([]byte(eventType))
	return id + "-" + hex.EncodeToString(digest[:4])
}

// Handle has an event published, and returns at once.
func (h *PublishEvent) Handle(_ context.Context, e caddy.Event) error {
	if h.app == nil {
		return nil // which was said at the start
	}
	eventType := h.typeOf(e.Name())
	id := eventID(e, eventType)
	if isOwnEvent(e) {
		about, _ := e.Data["event_id"].(string)
		if !h.named[e.Name()] || strings.HasPrefix(about, ownEventID) {
			h.log.Debug("an event of webhooks itself is not published", "event", e.Name(), "about", about)
			return nil
		}
		id = ownEventID + id
	}
	event := webhook.Event{ID: id, Type: eventType, Timestamp: e.Timestamp(), Tenant: h.Tenant, Data: eventJSON(e.Data)}
	select {
	case h.queue <- event:
		h.working.Do(func() { go h.work() })
	default:
		h.dropping.Do(func() {
			h.log.Error("events of Caddy's come faster than they can be published, and some are left out: subscribe to fewer", "event", e.Name())
		})
	}
	return nil
}

// whenUnbound hears from Caddy that the handler's configuration runs as a whole.
type whenUnbound struct{ handler *PublishEvent }

// Handle says so if there is no app to publish to. It returns no error: that would
// say that the event is not to be handled.
func (w whenUnbound) Handle(context.Context, caddy.Event) error {
	if w.handler.app == nil {
		w.handler.log.Error("events have nowhere to be published to: add the global option webhooks")
	}
	return nil
}

// isOwnEvent tells whether an event is about webhooks.
func isOwnEvent(e caddy.Event) bool {
	if strings.HasPrefix(e.Name(), "webhook_") {
		return true
	}
	_, ours := e.Origin().(*App)
	return ours
}

// eventJSON is an event's data as JSON. Errors are their texts, and what JSON has
// nothing for is left out.
func eventJSON(data map[string]any) []byte {
	members := make(map[string]json.RawMessage, len(data))
	for name, value := range data {
		if err, ok := value.(error); ok {
			value = err.Error()
		}
		if encoded, err := json.Marshal(value); err == nil {
			members[name] = encoded
		}
	}
	encoded, err := json.Marshal(members)
	if err != nil {
		return []byte("{}") // all of it was encoded before
	}
	return encoded
}

// work publishes what is queued until the configuration has ended and nothing is
// left.
func (h *PublishEvent) work() {
	defer close(h.idle)
	w := eventWorker{PublishEvent: h}
	defer w.logLost()
	for {
		select {
		case e := <-h.queue:
			w.publish(e)
			continue
		case <-h.over:
		}
		select {
		case e := <-h.queue:
			w.publish(e)
		default:
			return
		}
	}
}

// eventWorker is what publishes for a handler, and what it notes to log it once.
type eventWorker struct {
	*PublishEvent
	refused []string // types
	lost    int
	cause   error
}

// publish publishes an event. While the store cannot take it, it waits, and those
// behind it with it, until the configuration ends.
func (w *eventWorker) publish(e webhook.Event) {
	const longest = 30 * time.Second
	for wait := time.Second; ; wait = min(2*wait, longest) {
		err := w.tryPublish(e)
		switch {
		case err == nil:
			return
		case errors.Is(err, sender.ErrInvalid) || errors.Is(err, sender.ErrConflict):
			if !slices.Contains(w.refused, e.Type) {
				w.refused = append(w.refused, e.Type)
				w.log.Error("an event of Caddy's cannot be published; further ones of this type are left out silently", "event", e.Type, "error", err)
			}
			return
		case isClosed(w.over):
			w.lost, w.cause = w.lost+1, err
			return
		}
		w.log.Warn("publishing an event of Caddy's failed; it is tried again", "event", e.Type, "error", err, "in", wait)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-w.over:
			timer.Stop()
		}
	}
}

func (w *eventWorker) logLost() {
	if w.lost > 0 {
		w.log.Error("events of Caddy's were not published before the configuration ended", "events", w.lost, "error", w.cause)
	}
}

func (h *PublishEvent) tryPublish(e webhook.Event) error {
	ctx, cancel := context.WithTimeout(context.Background(), eventPatience)
	defer cancel()
	s, err := h.app.senderFor(ctx)
	if err != nil {
		return err
	}
	_, err = s.Publish(ctx, e)
	return err
}

// Cleanup gives what is queued a last chance.
func (h *PublishEvent) Cleanup() error {
	if h.over == nil {
		return nil
	}
	h.closing.Do(func() { close(h.over) })
	h.working.Do(func() { close(h.idle) }) // nothing has ever been queued
	timer := time.NewTimer(eventPatience)
	defer timer.Stop()
	select {
	case <-h.idle:
	case <-timer.C:
	}
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner   = (*PublishEvent)(nil)
	_ caddy.CleanerUpper  = (*PublishEvent)(nil)
	_ caddyevents.Handler = (*PublishEvent)(nil)
	_ caddyevents.Handler = whenUnbound{}
)
