package settings

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// deliveriesPerPage bounds a page of the list.
const deliveriesPerPage = 30

// deliveryRow is a delivery in a list.
type deliveryRow struct {
	ID, Type, Tenant       string
	Endpoint, EndpointName string
	Status                 badge
	Attempts               int
	Stored, Due            *moment
	Answer, Took           string
	Error                  string
}

// deliveryRows describes deliveries. The names are those of endpoints; without
// any, it is clear which one it is.
func (c *call) deliveryRows(list []sender.DeliverySummary, names map[string]string) []deliveryRow {
	rows := make([]deliveryRow, len(list))
	for i := range list {
		rows[i] = c.deliveryRow(&list[i].Delivery, list[i].StoredAt, list[i].Last)
		rows[i].EndpointName = names[list[i].EndpointID]
		if names != nil && rows[i].EndpointName == "" {
			rows[i].EndpointName = shortened(list[i].EndpointID, 40)
		}
	}
	return rows
}

func (c *call) deliveryRow(d *sender.Delivery, stored time.Time, last *sender.Attempt) deliveryRow {
	row := deliveryRow{
		ID: d.ID(), Type: d.Event.Type, Endpoint: d.EndpointID,
		Status: statusBadge(d), Attempts: d.Attempts, Stored: c.moment(stored),
	}
	if c.operator {
		row.Tenant = shortened(d.Event.Tenant, 40)
	}
	if d.Status == sender.Pending && d.Due.After(c.Now()) {
		row.Due = c.moment(d.Due)
	}
	if last != nil {
		row.Answer, row.Took, row.Error = answered(last), took(last.Duration), shortened(last.Error, 120)
	}
	return row
}

// answered is the status of an answer.
func answered(a *sender.Attempt) string {
	if a.StatusCode == 0 {
		return "no answer"
	}
	return strconv.Itoa(a.StatusCode)
}

// endpointNames are the endpoints by what people call them: what they are for,
// or where they are.
func endpointNames(all []sender.EndpointInfo) map[string]string {
	names := make(map[string]string, len(all))
	for i := range all {
		names[all[i].ID] = endpointName(&all[i].Endpoint)
	}
	return names
}

func endpointName(e *sender.Endpoint) string {
	const most = 44
	if e.Description != "" {
		return shortened(e.Description, most)
	}
	if u := parseURL(e.URL); u.Host != "" {
		return shortened(u.Host+u.EscapedPath(), most)
	}
	return shortened(e.ID, most)
}

// filterForm is the form that a list of deliveries is filtered with.
type filterForm struct {
	Endpoint, Status, Type, From, To, Tenant string
	Oldest                                   bool
	Endpoints                                []formatChoice
	Types                                    []string
	Set                                      bool // something is filtered
}

// deliveryList is the page of deliveries.
type deliveryList struct {
	filterForm
	Statuses []statusLink
	Rows     []deliveryRow
	Again    string // the query of the first page
	Next     string // of the page after
	Stream   string // of what happens
	Cursor   bool
	Replay   string
}

// statusLink leads to the deliveries of a status.
type statusLink struct {
	Text, Query string
	Current     bool
}

// maxEndpointChoices bounds how many endpoints a form offers to choose from;
// where there are more, an ID is entered.
const maxEndpointChoices = 40

// filters reads the parameters that select deliveries, and the form as it is
// filled in with them.
func (q *query) filters() (d sender.DeliveryQuery, f filterForm) {
	f = filterForm{
		Endpoint: q.one("endpoint"), Status: q.one("status"), Type: strings.TrimSpace(q.one("type")),
		From: q.one("from"), To: q.one("to"), Oldest: q.choice("order", "newest", "oldest") == "oldest",
	}
	d.EndpointIDs = each(q, "endpoint", whatever)
	d.Statuses = each(q, "status", named[sender.Status])
	if f.Type != "" {
		pattern, err := webhook.ParsePattern(f.Type)
		if err != nil {
			q.fail("type", err.Error())
		}
		d.Types = []webhook.Pattern{pattern}
	}
	d.From, d.To = q.formTime("from"), q.formTime("to")
	if !d.From.IsZero() && !d.To.IsZero() && !d.From.Before(d.To) {
		q.fail("from", "it is not before to: give the earlier time first")
	}
	d.OldestFirst = f.Oldest
	f.Set = f.Endpoint != "" || f.Type != "" || f.From != "" || f.To != "" || f.Oldest
	return d, f
}

// formTime reads a time as a field of the kind datetime-local has it, in UTC,
// or in RFC 3339 form.
func (q *query) formTime(name string) time.Time {
	s := q.one(name)
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t
		}
	}
	return q.time(name)
}

// values are the filters as parameters of a link.
func (f *filterForm) values() url.Values {
	v := make(url.Values)
	for name, value := range map[string]string{"endpoint": f.Endpoint, "status": f.Status, "type": f.Type, "from": f.From, "to": f.To, "tenant": f.Tenant} {
		if value != "" {
			v.Set(name, value)
		}
	}
	if f.Oldest {
		v.Set("order", "oldest")
	}
	return v
}

// asQuery are parameters as a link that replaces all that there are.
func asQuery(v url.Values) string { return "?" + v.Encode() }

// offer fills in what can be chosen.
func (f *filterForm) offer(c *call, all []sender.EndpointInfo) {
	if len(all) <= maxEndpointChoices {
		for i := range all {
			f.Endpoints = append(f.Endpoints, formatChoice{all[i].ID, endpointName(&all[i].Endpoint)})
		}
	}
	for _, t := range c.EventTypes() {
		if len(f.Types) < 100 {
			f.Types = append(f.Types, t.Name)
		}
	}
}

func deliveriesPage(c *call) error {
	q := c.query("endpoint", "status", "type", "from", "to", "order", "cursor", "notice", "tenant")
	d, form := q.filters()
	d.Cursor, d.Limit = q.one("cursor"), deliveriesPerPage
	if q.err != nil {
		return q.err
	}
	page, err := c.Deliveries(c.context(), c.listed(), d)
	if err != nil {
		return err
	}
	all, err := c.Endpoints(c.context(), c.listed())
	if err != nil {
		return err
	}
	form.Tenant = c.chosenTenant()
	form.offer(c, all)
	list := deliveryList{filterForm: form, Rows: c.deliveryRows(page.Deliveries, endpointNames(all)), Cursor: d.Cursor != ""}
	values := form.values()
	list.Again = asQuery(values)
	list.Replay = list.Again
	if page.Next != "" {
		values.Set("cursor", page.Next)
		list.Next = asQuery(values)
	}
	if d.Cursor == "" && !form.Oldest && d.From.IsZero() && d.To.IsZero() {
		list.Stream = "api/deliveries/stream" + asQuery(form.values())
	}
	for _, status := range []string{"", "pending", "succeeded", "failed", "blocked", "cancelled"} {
		other := form
		other.Status = status
		text := "All"
		if status != "" {
			text = strings.ToUpper(status[:1]) + status[1:]
		}
		list.Statuses = append(list.Statuses, statusLink{text, asQuery(other.values()), status == form.Status})
	}
	return c.page(http.StatusOK, "deliveries.html", "Deliveries", "deliveries", list)
}

// eventDetail is the page of an event.
type eventDetail struct {
	ID, Type, ContentType string
	Happened, Stored      *moment
	Data                  shownBody
	Rows                  []deliveryRow
}

func eventPage(c *call) error {
	record, err := c.Event(c.context(), c.listed(), c.id())
	if err != nil {
		return err
	}
	all, err := c.Endpoints(c.context(), c.listed())
	if err != nil {
		return err
	}
	const most = 40
	names := endpointNames(all)
	e := eventDetail{
		ID: record.Event.ID, Type: record.Event.Type, ContentType: visible(record.Event.ContentType),
		Happened: c.moment(record.Event.Timestamp), Stored: c.moment(record.StoredAt), Data: shownText(record.Event.Data, maxShown),
	}
	for i := range record.Deliveries[:min(most, len(record.Deliveries))] {
		d := record.Deliveries[i].Delivery
		if d.Event == nil { // it stands beside its deliveries
			d.Event = record.Event
		}
		row := c.deliveryRow(&d, record.StoredAt, lastOf(record.Deliveries[i].History))
		if row.EndpointName = names[d.EndpointID]; row.EndpointName == "" {
			row.EndpointName = shortened(d.EndpointID, 40)
		}
		e.Rows = append(e.Rows, row)
	}
	return c.page(http.StatusOK, "event.html", "Event", "deliveries", e)
}

// statusesOf are statuses by their names.
func statusesOf(names []string) (list []sender.Status, err error) {
	for _, name := range names {
		s, err := named[sender.Status](name)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list, nil
}
