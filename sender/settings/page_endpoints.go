package settings

import (
	"net/http"
	"strings"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
)

// endpointsPerPage bounds a page of the list, and filterFrom is from how many
// endpoints on there is a field to filter it by.
const (
	endpointsPerPage = 30
	filterFrom       = 10
)

// endpointRow is an endpoint in the list.
type endpointRow struct {
	ID, URL, Description, Tenant string
	ReadOnly                     bool
	State                        badge
	Reason                       string
	Events                       []string
	More                         int // events that are not shown
	Last                         *moment
	LastFailed                   bool
	Attempts                     int64
	Rate                         string
	Spark                        *spark
	Pending                      int64
}

// endpointList is the page of all endpoints.
type endpointList struct {
	Rows           []endpointRow
	Total, Found   int64
	Filter         string
	Filtered       bool
	Previous, Next int // pages, from 1; 0 for none
}

func endpointsPage(c *call) error {
	q := c.query("q", "page", "notice", "tenant")
	page := q.whole("page", 1, 1_000_000, 1)
	filter := strings.TrimSpace(q.one("q"))
	if q.err != nil {
		return q.err
	}
	all, err := c.Endpoints(c.context(), c.listed())
	if err != nil {
		return err
	}
	list := endpointList{Total: int64(len(all)), Filter: filter, Filtered: filter != "" || len(all) >= filterFrom}
	if filter != "" {
		all = matching(all, filter)
	}
	list.Found = int64(len(all))
	first := min((page-1)*endpointsPerPage, len(all))
	last := min(first+endpointsPerPage, len(all))
	if page > 1 {
		list.Previous = page - 1
	}
	if last < len(all) {
		list.Next = page + 1
	}
	if list.Rows, err = c.endpointRows(all[first:last]); err != nil {
		return err
	}
	return c.page(http.StatusOK, "endpoints.html", "Webhooks", "endpoints", list)
}

// matching are the endpoints in which a text occurs.
func matching(all []sender.EndpointInfo, filter string) (found []sender.EndpointInfo) {
	filter = strings.ToLower(filter)
	for i := range all {
		info := all[i]
		hide(&info.Endpoint) // nobody finds out a password by looking for it
		for _, text := range []string{info.ID, info.URL, info.Description, info.Tenant, info.State.String(), strings.Join(info.Events, " ")} {
			if strings.Contains(strings.ToLower(text), filter) {
				found = append(found, all[i])
				break
			}
		}
	}
	return found
}

// endpointRows describes endpoints with what became of their last day.
func (c *call) endpointRows(infos []sender.EndpointInfo) ([]endpointRow, error) {
	if len(infos) == 0 {
		return nil, nil
	}
	ids := make([]string, len(infos))
	for i := range infos {
		ids[i] = infos[i].ID
	}
	stats, err := c.Stats(c.context(), c.tenant, sender.StatsQuery{EndpointIDs: ids, Step: sender.StepHour})
	if err != nil {
		return nil, err
	}
	series := make(map[string]*sender.StatsSeries)
	for i := range stats.Series {
		series[stats.Series[i].Endpoint] = &stats.Series[i]
	}
	rows := make([]endpointRow, len(infos))
	for i := range infos {
		rows[i] = c.endpointRow(&infos[i])
		s := series[infos[i].ID]
		if s == nil {
			continue
		}
		rows[i].Attempts = s.Total.Attempts
		rows[i].Rate = share(s.Total.Succeeded, s.Total.Attempts)
		rows[i].Spark = timelineOf(s.Points, stats.From, time.Hour, int(stats.To.Sub(stats.From)/time.Hour)).spark()
	}
	return rows, nil
}

func (c *call) endpointRow(info *sender.EndpointInfo) endpointRow {
	const shownEvents = 3
	hide(&info.Endpoint)
	row := endpointRow{
		ID:          info.ID,
		URL:         shortened(info.URL, 72),
		Description: shortened(info.Description, 100),
		Tenant:      shortened(info.Tenant, 60),
		ReadOnly:    info.ReadOnly,
		State:       stateBadge(info.State),
		Reason:      shortened(info.Reason, 160),
		Events:      eventsOf(&info.Endpoint),
		Last:        c.moment(info.LastSuccessAt),
		Pending:     info.Pending,
	}
	if info.LastFailureAt.After(info.LastSuccessAt) {
		row.Last, row.LastFailed = c.moment(info.LastFailureAt), true
	}
	if n := len(row.Events); n > shownEvents {
		row.Events, row.More = row.Events[:shownEvents], n-shownEvents
	}
	return row
}

// eventsOf are the event types of an endpoint as they are shown.
func eventsOf(e *sender.Endpoint) []string {
	if len(e.Events) == 0 {
		return []string{"*"}
	}
	return e.Events
}
