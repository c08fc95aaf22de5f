package settings

import (
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// content is what an event says: Data where it is JSON, and otherwise
// DataBase64, as CloudEvents has it. What was taken in as it came has a
// ContentType, and Headers if any were kept.
type content struct {
	TraceParent string         `json:"traceparent,omitempty"`
	Data        jsontext.Value `json:"data,omitzero"`
	DataBase64  []byte         `json:"data_base64,omitempty"`
	ContentType string         `json:"content_type,omitempty"`
	Headers     http.Header    `json:"headers,omitempty"`
}

func contentOf(e *webhook.Event) content {
	c := content{TraceParent: e.TraceParent, ContentType: e.ContentType, Headers: e.Headers}
	if data := jsontext.Value(e.Data); data.IsValid() {
		c.Data = data
		return c
	}
	c.DataBase64 = e.Data
	return c
}

// event is an event as it is answered.
type event struct {
	ID        string    `json:"id"`
	Tenant    *string   `json:"tenant,omitempty"`
	Event     string    `json:"event"` // its type
	Timestamp time.Time `json:"timestamp"`
	StoredAt  time.Time `json:"stored_at"`
	content
	Deliveries []delivery `json:"deliveries"`
}

func getEvent(c *call) error {
	tenant := c.tenant
	if c.operator { // the ID alone may be that of several tenants' events
		q, named := c.scoped()
		if q.err != nil {
			return q.err
		}
		tenant = named
	}
	record, err := c.Event(c.context(), tenant, c.id())
	if err != nil {
		return err
	}
	shown := event{
		ID:         record.Event.ID,
		Tenant:     c.shownTenant(record.Event.Tenant),
		Event:      record.Event.Type,
		Timestamp:  record.Event.Timestamp.UTC(),
		StoredAt:   record.StoredAt.UTC(),
		content:    contentOf(record.Event),
		Deliveries: make([]delivery, 0, len(record.Deliveries)),
	}
	for i := range record.Deliveries {
		d := &record.Deliveries[i].Delivery
		if d.Event == nil { // it stands beside its deliveries
			d = &sender.Delivery{Event: record.Event, Seq: d.Seq, EndpointID: d.EndpointID, Status: d.Status, Attempts: d.Attempts, Due: d.Due}
		}
		shown.Deliveries = append(shown.Deliveries, c.shownDelivery(d, record.StoredAt, lastOf(record.Deliveries[i].History)))
	}
	return c.answer(http.StatusOK, shown)
}
