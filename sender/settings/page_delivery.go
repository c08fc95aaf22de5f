package settings

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// deliveryPageData is the page of a delivery.
type deliveryPageData struct {
	ID, Type, EventID, Tenant string
	Endpoint, EndpointName    string
	EndpointGone              bool
	Status                    badge
	Happened, Stored, Due     *moment
	Waiting                   bool // for its turn
	CanRetry, CanCancel       bool
	Data                      shownBody
	History                   []attemptRow
	Earlier                   int // attempts that are not shown
	Attempt                   *exchange
}

// attemptRow is an attempt in the list of a delivery's.
type attemptRow struct {
	Number  int
	Status  badge
	Started *moment
	Answer  string
	Took    string
	Error   string
	Current bool
}

// exchange is an attempt in full.
type exchange struct {
	Number            int
	Status            badge
	Started           *moment
	Code              int
	CodeText          string
	Took, Error       string
	RemoteAddr        string
	Request, Response []setting
	Body              shownBody
	Timings           []timingRow
}

// timingRow is a part of an attempt's time, as a bar from X of a width, in
// thousandths.
type timingRow struct {
	Name, Kind, Took string
	X, Width         string
}

// maxHistory bounds how many attempts a page lists.
const maxHistory = 30

func deliveryPage(c *call) error {
	q := c.query("attempt", "notice", "tenant")
	chosen := q.whole("attempt", 0, 1_000_000, 0)
	if q.err != nil {
		return q.err
	}
	record, err := c.Delivery(c.context(), c.tenant, c.id())
	if err != nil {
		return err
	}
	d := &record.Delivery
	p := deliveryPageData{
		ID: d.ID(), Type: d.Event.Type, EventID: d.Event.ID, Endpoint: d.EndpointID, EndpointName: shortened(d.EndpointID, 44),
		Status: statusBadge(d), Happened: c.moment(d.Event.Timestamp), Stored: c.moment(record.StoredAt),
		CanCancel: d.Status == sender.Pending || d.Status == sender.Blocked,
		Data:      shownText(d.Event.Data, maxShown),
	}
	if c.operator {
		p.Tenant = visible(d.Event.Tenant)
	}
	if d.Status == sender.Pending {
		if p.Waiting = !d.Due.After(c.Now()); !p.Waiting {
			p.Due = c.moment(d.Due)
		}
	}
	info, err := c.Endpoint(c.context(), c.tenant, d.EndpointID)
	switch {
	case err == nil:
		p.EndpointName, p.CanRetry = endpointName(&info.Endpoint), true
	case errors.Is(err, sender.ErrNotFound):
		p.EndpointGone = true
	default:
		return err
	}
	current := lastOf(record.History)
	for i := range record.History {
		if record.History[i].Number == chosen {
			current = &record.History[i]
		}
	}
	first := max(0, len(record.History)-maxHistory)
	p.Earlier = first
	for i := len(record.History) - 1; i >= first; i-- {
		a := &record.History[i]
		p.History = append(p.History, attemptRow{
			Number: a.Number, Status: verdictBadge(a), Started: c.moment(a.StartedAt), Answer: answered(a), Took: took(a.Duration),
			Error: shortened(a.Error, 160), Current: a == current,
		})
	}
	if current != nil {
		p.Attempt = c.exchange(current)
	}
	return c.page(http.StatusOK, "delivery.html", "Delivery of "+p.Type, "deliveries", p)
}

// exchange makes an attempt ready to be shown.
func (c *call) exchange(a *sender.Attempt) *exchange {
	return &exchange{
		Number: a.Number, Status: verdictBadge(a), Started: c.moment(a.StartedAt), Code: a.StatusCode, CodeText: http.StatusText(a.StatusCode),
		Took: took(a.Duration), Error: sentence(visible(a.Error)), RemoteAddr: a.RemoteAddr,
		Request: headerList(a.RequestHeaders), Response: headerList(a.ResponseHeaders),
		Body: shownText(a.ResponseBody, maxShown), Timings: timingRows(a),
	}
}

// timingRows are the parts of an attempt's time, one after the other.
func timingRows(a *sender.Attempt) (rows []timingRow) {
	total := max(a.Duration, a.Timings.FirstByte)
	if total <= 0 {
		return nil
	}
	at := webhook.Duration(0)
	add := func(name, kind string, d webhook.Duration) {
		if d <= 0 {
			return
		}
		d = min(d, total-at)
		x, width := float64(at)/float64(total)*1000, max(float64(d)/float64(total)*1000, 3)
		rows = append(rows, timingRow{name, kind, took(d), coordinate(min(x, 997)), coordinate(width)})
		at += d
	}
	t := &a.Timings
	add("Look-up", "dns", t.DNS)
	add("Connect", "connect", t.Connect)
	add("TLS", "tls", t.TLS)
	if t.FirstByte > 0 {
		add("Wait for the answer", "wait", t.FirstByte-at)
		add("Read the answer", "read", total-at)
	} else {
		add("Without an answer", "wait", total-at)
	}
	return rows
}

func retryFromForm(c *call) error {
	if _, err := c.form(); err != nil {
		return err
	}
	err := c.RetryDelivery(c.context(), c.tenant, c.id())
	if errors.Is(err, sender.ErrEnded) {
		return &refusal{status: http.StatusConflict, detail: "the webhook of this delivery is no more: there is nowhere to deliver to"}
	}
	return c.delivered("retried", err)
}

func cancelFromForm(c *call) error {
	if _, err := c.form(); err != nil {
		return err
	}
	return c.delivered("cancelled", c.CancelDelivery(c.context(), c.tenant, c.id()))
}

// delivered leads back to a delivery that has been changed.
func (c *call) delivered(notice string, err error) error {
	if err != nil {
		return err
	}
	return c.redirect("deliveries/" + url.PathEscape(c.id()) + "?notice=" + notice)
}
