package settings

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/manysends/caddy-webhooks/sender"
)

// replayRow is a replay as it is shown.
type replayRow struct {
	ID, Tenant                        string
	State                             badge
	Running                           bool
	What                              []setting
	Matched, Replayed, Skipped, Total int64
	Done                              int64 // of the total
	Error                             string
	Created, Finished                 *moment
}

func (c *call) replayRow(r *sender.Replay) replayRow {
	row := replayRow{
		ID: r.ID, State: replayBadge(r.State), Running: r.State == sender.ReplayRunning, Matched: r.Matched, Replayed: r.Replayed, Skipped: r.Skipped,
		Total: max(r.Total, r.Matched), Done: min(r.Replayed+r.Skipped, max(r.Total, r.Matched)), Error: sentence(visible(r.Error)),
		Created: c.moment(r.CreatedAt), Finished: c.moment(r.FinishedAt), What: selected(&r.Request),
	}
	if c.operator {
		row.Tenant = shortened(r.Tenant, 40)
	}
	return row
}

// selected says what a replay is of.
func selected(r *sender.ReplayRequest) (list []setting) {
	if r.Missing {
		list = append(list, setting{"What", "missing events"})
	} else {
		list = append(list, setting{"Status", replayedStatuses(r.Statuses)})
	}
	if len(r.EndpointIDs) > 0 {
		list = append(list, setting{"Webhook", shortened(strings.Join(r.EndpointIDs, ", "), 200)})
	}
	if len(r.Types) > 0 {
		types := make([]string, len(r.Types))
		for i, p := range r.Types {
			types[i] = string(p)
		}
		list = append(list, setting{"Type", shortened(strings.Join(types, ", "), 200)})
	}
	if !r.From.IsZero() {
		list = append(list, setting{"From", r.From.UTC().Format("2 Jan 2006, 15:04:05 UTC")})
	}
	if !r.To.IsZero() {
		list = append(list, setting{"To", r.To.UTC().Format("2 Jan 2006, 15:04:05 UTC")})
	}
	if r.FreshID {
		list = append(list, setting{"Event IDs", "fresh"})
	}
	if r.Rate != nil {
		list = append(list, setting{"Rate", r.Rate.String()})
	}
	return list
}

// replayedStatuses are those of the deliveries that a replay is of.
func replayedStatuses(chosen []sender.Status) string {
	if len(chosen) == 0 {
		return "failed, cancelled"
	}
	texts := make([]string, len(chosen))
	for i, s := range chosen {
		texts[i] = s.String()
	}
	return strings.Join(texts, ", ")
}

func replaysPage(c *call) error {
	const most = 50
	list, err := c.Replays(c.context(), c.listed())
	if err != nil {
		return err
	}
	var data struct {
		Rows []replayRow
		More bool
	}
	data.More = len(list) > most
	for i := range list[:min(most, len(list))] {
		data.Rows = append(data.Rows, c.replayRow(&list[i]))
	}
	return c.page(http.StatusOK, "replays.html", "Replays", "replays", data)
}

func replayPage(c *call) error {
	replay, err := c.Replay(c.context(), c.tenant, c.id())
	if err != nil {
		return err
	}
	return c.page(http.StatusOK, "replay.html", "Replay", "replays", c.replayRow(&replay))
}

func cancelReplayFromForm(c *call) error {
	if _, err := c.form(); err != nil {
		return err
	}
	if _, err := c.CancelReplay(c.context(), c.tenant, c.id()); err != nil {
		return err
	}
	return c.redirect("replays/" + url.PathEscape(c.id()) + "?notice=stopped")
}

// replayForm is the form that a replay is started with.
type replayForm struct {
	filterForm
	Chosen  []eventChoice // statuses
	Missing bool          // and not deliveries of a status
	FreshID bool
	Rate    string
	Count   string // of what it would replay; empty before it was counted
	None    bool
	Errors  map[string]string
}

// countedAtMost bounds how many deliveries the page of a form counts.
const countedAtMost = 1000

func replayFormPage(c *call) error {
	q := c.query("endpoint", "status", "type", "from", "to", "order", "missing", "fresh_id", "rate", "tenant", "count")
	form, err := c.replayForm(q)
	if err != nil {
		return err
	}
	return c.page(http.StatusOK, "replayform.html", "Replay deliveries", "replays", form)
}

// replayForm reads the form from its parameters, and counts what it selects.
func (c *call) replayForm(q *query) (*replayForm, error) {
	statuses := slices.DeleteFunc(slices.Clone(q.values["status"]), func(s string) bool { return s == "" })
	delete(q.values, "status")
	d, filters := q.filters()
	form := &replayForm{filterForm: filters, Missing: q.one("missing") != "", FreshID: q.one("fresh_id") != "", Rate: strings.TrimSpace(q.one("rate"))}
	if c.operator {
		form.Tenant = q.one("tenant")
	}
	var err error
	if d.Statuses, err = statusesOf(statuses); err != nil {
		q.fail("status", err.Error())
	}
	if q.err != nil {
		return nil, q.err
	}
	if len(d.Statuses) == 0 {
		d.Statuses = []sender.Status{sender.Failed, sender.Cancelled}
	}
	for _, s := range []sender.Status{sender.Failed, sender.Cancelled, sender.Blocked, sender.Succeeded, sender.Pending} {
		form.Chosen = append(form.Chosen, eventChoice{s.String(), s.String(), slices.Contains(d.Statuses, s)})
	}
	tenant := c.scope(form.Tenant)
	all, err := c.Endpoints(c.context(), tenant)
	if err != nil {
		return nil, err
	}
	form.offer(c, all)
	if q.one("count") == "" {
		return form, nil
	}
	r := sender.ReplayRequest{EndpointIDs: d.EndpointIDs, Types: d.Types, From: d.From, To: d.To, Missing: form.Missing}
	if !r.Missing {
		r.Statuses = d.Statuses
	}
	n, more, err := c.CountReplay(c.context(), tenant, r, countedAtMost, countPatience)
	if err != nil {
		return nil, err
	}
	form.Count = countText(n)
	if more {
		form.Count += "+"
	}
	form.None = n == 0 && !more
	return form, nil
}

func replayFromForm(c *call) error {
	values, err := c.form()
	if err != nil {
		return err
	}
	switch {
	case values.Get("missing") != "" && values.Get("endpoint") == "":
		err = wrong("endpoint", "there is none: choose the webhook that is to get what it has missed")
	case values.Get("count") != "": // the button that counts
		var form *replayForm
		if form, err = c.replayForm(&query{values: maps.Clone(values)}); err == nil {
			return c.page(http.StatusOK, "replayform.html", "Replay deliveries", "replays", form)
		}
	default:
		var r sender.ReplayRequest
		if r, err = replayRequest(&query{values: values}); err == nil {
			var replay sender.Replay
			if replay, err = c.StartReplay(c.context(), c.scope(values.Get("tenant")), r); err == nil {
				return c.redirect("replays/" + url.PathEscape(replay.ID) + "?notice=replaying")
			}
		}
	}
	e := explain(err, "webhook")
	if e.status != http.StatusUnprocessableEntity {
		return err
	}
	// What is wrong is shown beside the form; what cannot be read is left out.
	shown := &query{values: url.Values{}}
	for name, list := range values {
		if name != e.field && name+"s" != e.field && name != "count" {
			shown.values[name] = list
		}
	}
	form, second := c.replayForm(shown)
	if second != nil {
		return err
	}
	form.Rate = values.Get("rate")
	form.Errors = map[string]string{"all": sentence(e.detail)}
	return c.page(http.StatusUnprocessableEntity, "replayform.html", "Error: Replay deliveries", "replays", form)
}

// replayRequest is what a form asks for.
func replayRequest(q *query) (r sender.ReplayRequest, err error) {
	statuses := q.values["status"]
	delete(q.values, "status")
	d, _ := q.filters()
	q.values["status"] = statuses
	if q.err != nil {
		return r, q.err
	}
	// What belongs to the choice that was not made is hidden, and means nothing.
	if r.Missing = q.one("missing") != ""; !r.Missing {
		if r.Statuses, err = statusesOf(statuses); err != nil {
			return r, wrong("status", "%s", err)
		}
		if len(r.Statuses) == 0 {
			return r, wrong("status", "there is none: choose what is to be replayed")
		}
		r.FreshID, _ = strconv.ParseBool(q.one("fresh_id"))
	}
	r.EndpointIDs, r.Types, r.From, r.To = d.EndpointIDs, d.Types, d.From, d.To
	if text := strings.TrimSpace(q.one("rate")); text != "" {
		if err := rate(&r.Rate)(jsonText(text)); err != nil {
			return r, wrong("rate", "%s", err)
		}
	}
	return r, nil
}
