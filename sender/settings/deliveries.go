package settings

import (
	"errors"
	"net/http"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// delivery is a delivery as it is listed.
type delivery struct {
	ID        string        `json:"id"`
	Tenant    *string       `json:"tenant,omitempty"`
	EventID   string        `json:"event_id"`
	Event     string        `json:"event"` // its type
	Timestamp time.Time     `json:"timestamp"`
	Endpoint  string        `json:"endpoint"`
	Status    sender.Status `json:"status"`
	Attempts  int           `json:"attempts"`
	StoredAt  time.Time     `json:"stored_at"`
	Due       time.Time     `json:"due,omitzero"`
	Last      *attempt      `json:"last,omitempty"`
}

func (c *call) shownDelivery(d *sender.Delivery, storedAt time.Time, last *sender.Attempt) delivery {
	shown := delivery{
		ID:        d.ID(),
		Tenant:    c.shownTenant(d.Event.Tenant),
		EventID:   d.Event.ID,
		Event:     d.Event.Type,
		Timestamp: d.Event.Timestamp.UTC(),
		Endpoint:  d.EndpointID,
		Status:    d.Status,
		Attempts:  d.Attempts,
		StoredAt:  storedAt.UTC(),
	}
	if d.Status == sender.Pending {
		shown.Due = d.Due.UTC()
	}
	if last != nil {
		brief := *last
		brief.RequestHeaders, brief.ResponseHeaders, brief.ResponseBody = nil, nil, nil
		shown.Last = new(shownAttempt(brief))
	}
	return shown
}

// lastOf is the last of the attempts; nil when there is none.
func lastOf(history []sender.Attempt) *sender.Attempt {
	if len(history) == 0 {
		return nil
	}
	return &history[len(history)-1]
}

// deliveryDetail is all of a delivery.
type deliveryDetail struct {
	delivery
	content
	History []attempt `json:"history"`
}

// selection are the parameters that select deliveries, in lists and streams.
func (q *query) selection() ([]string, []sender.Status, []webhook.Pattern) {
	return each(q, "endpoint", whatever), each(q, "status", named[sender.Status]), each(q, "type", webhook.ParsePattern)
}

func listDeliveries(c *call) error {
	q, tenant := c.scoped("endpoint", "status", "type", "from", "to", "order", "limit", "cursor")
	var d sender.DeliveryQuery
	d.EndpointIDs, d.Statuses, d.Types = q.selection()
	d.From, d.To = q.span()
	d.OldestFirst = q.choice("order", "newest", "oldest") == "oldest"
	d.Limit = q.whole("limit", 1, 100, 50)
	d.Cursor = q.one("cursor")
	if q.err != nil {
		return q.err
	}
	page, err := c.Deliveries(c.context(), tenant, d)
	if err != nil {
		return err
	}
	list := make([]delivery, 0, len(page.Deliveries))
	for i := range page.Deliveries {
		s := &page.Deliveries[i]
		list = append(list, c.shownDelivery(&s.Delivery, s.StoredAt, s.Last))
	}
	return c.answer(http.StatusOK, struct {
		Deliveries []delivery `json:"deliveries"`
		Next       string     `json:"next,omitempty"`
	}{list, page.Next})
}

func getDelivery(c *call) error { return c.delivery(http.StatusOK) }

// delivery answers the delivery that the path names.
func (c *call) delivery(status int) error {
	record, err := c.Delivery(c.context(), c.tenant, c.id())
	if err != nil {
		return err
	}
	detail := deliveryDetail{
		delivery: c.shownDelivery(&record.Delivery, record.StoredAt, lastOf(record.History)),
		content:  contentOf(record.Event),
		History:  make([]attempt, 0, len(record.History)),
	}
	for _, a := range record.History {
		detail.History = append(detail.History, shownAttempt(a))
	}
	return c.answer(status, detail)
}

func retryDelivery(c *call) error {
	if err := c.read(nil, false); err != nil {
		return err
	}
	err := c.RetryDelivery(c.context(), c.tenant, c.id())
	if errors.Is(err, sender.ErrEnded) {
		return &refusal{status: http.StatusConflict, detail: "the endpoint of this delivery is no more: there is nowhere to deliver to"}
	}
	if err != nil {
		return err
	}
	return c.delivery(http.StatusAccepted)
}

func cancelDelivery(c *call) error {
	if err := c.read(nil, false); err != nil {
		return err
	}
	if err := c.CancelDelivery(c.context(), c.tenant, c.id()); err != nil {
		return err
	}
	return c.delivery(http.StatusOK)
}
