package settings

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
)

// overviewSpan is a stretch of time that is charted.
type overviewSpan struct {
	name, text string
	step       sender.Step
	slot       time.Duration
	slots      int
}

var overviewSpans = []overviewSpan{
	{"hour", "Hour", sender.StepMinute, time.Minute, 60},
	{"day", "Day", sender.StepHour, time.Hour, 24},
	{"week", "Week", sender.StepHour, 6 * time.Hour, 28},
	{"month", "Month", sender.StepHour, 24 * time.Hour, 30},
}

// overview is the page of charts.
type overview struct {
	Spans, By           []statusLink
	Span                string
	Endpoint            string
	EndpointName        string
	Endpoints           []formatChoice
	Attempts, Succeeded int64
	Lost, Failed        int64
	Rate                string
	P50, P95, P99       string
	Pending             int64
	Volume, Latency     *chart
	Table               []tableRow
	ByType              bool
	Series              []seriesRow
	More                int // series that are not shown
	Tenant              string
}

// seriesRow is one endpoint or one event type.
type seriesRow struct {
	ID, Name            string
	Attempts, Succeeded int64
	Failed              int64
	Rate, P50, P95, P99 string
	Share               string // of the largest one, in thousandths
	Spark               *spark
	Pending             int64
}

func overviewPage(c *call) error {
	q := c.query("span", "endpoint", "by", "tenant")
	name, endpoint, by := q.choice("span", "hour", "day", "week", "month"), q.one("endpoint"), q.choice("by", "endpoint", "type")
	if q.err != nil {
		return q.err
	}
	span := overviewSpans[1]
	for _, s := range overviewSpans {
		if s.name == name {
			span = s
		}
	}
	o := overview{Span: span.name, Endpoint: endpoint, ByType: by == "type", Tenant: c.chosenTenant()}
	link := func(span, by string) string {
		v := url.Values{"span": {span}}
		for name, value := range map[string]string{"endpoint": endpoint, "by": by, "tenant": o.Tenant} {
			if value != "" {
				v.Set(name, value)
			}
		}
		return asQuery(v)
	}
	for _, s := range overviewSpans {
		o.Spans = append(o.Spans, statusLink{s.text, link(s.name, by), s.name == span.name})
	}
	o.By = []statusLink{{"Webhook", link(span.name, "endpoint"), !o.ByType}, {"Event type", link(span.name, "type"), o.ByType}}
	if err := c.overview(&o, span); err != nil {
		return err
	}
	return c.page(http.StatusOK, "overview.html", "Overview", "overview", o)
}

// overview counts and charts.
func (c *call) overview(o *overview, span overviewSpan) error {
	all, err := c.Endpoints(c.context(), c.listed())
	if err != nil {
		return err
	}
	to := c.Now().UTC().Truncate(span.slot).Add(span.slot)
	from := to.Add(-time.Duration(span.slots) * span.slot)
	q := sender.StatsQuery{Step: span.step, From: from, To: to, ByType: o.ByType}
	pending := make(map[string]int64)
	if o.Endpoint != "" {
		info, err := c.Endpoint(c.context(), c.tenant, o.Endpoint)
		if err != nil {
			return err
		}
		q.EndpointIDs, o.EndpointName = []string{info.ID}, endpointName(&info.Endpoint)
	}
	for i := range all {
		pending[all[i].ID] = all[i].Pending
		if len(all) <= maxEndpointChoices {
			o.Endpoints = append(o.Endpoints, formatChoice{all[i].ID, endpointName(&all[i].Endpoint)})
		}
	}
	stats, err := c.Stats(c.context(), c.listed(), q)
	if err != nil {
		return err
	}
	t := &stats.Total
	o.Pending = stats.Pending
	o.Attempts, o.Succeeded, o.Lost, o.Failed = t.Attempts, t.Succeeded, t.Attempts-t.Succeeded, t.Failed
	o.Rate, o.P50, o.P95, o.P99 = share(t.Succeeded, t.Attempts), took(t.P50), took(t.P95), took(t.P99)
	if t.Attempts > 0 {
		line := timelineOf(stats.Points, from, span.slot, span.slots)
		o.Volume, o.Latency, o.Table = line.volume(), line.latency(), line.table()
	}
	o.series(stats.Series, span, from, endpointNames(all), pending)
	return nil
}

// series describes the endpoints, or the event types, that had most attempts.
func (o *overview) series(list []sender.StatsSeries, span overviewSpan, from time.Time, names map[string]string, pending map[string]int64) {
	const most = 25
	slices.SortFunc(list, func(a, b sender.StatsSeries) int { return cmp.Compare(b.Total.Attempts, a.Total.Attempts) })
	if len(list) > most {
		o.More, list = len(list)-most, list[:most]
	}
	for i := range list {
		s := &list[i]
		row := seriesRow{
			ID: s.Endpoint, Name: names[s.Endpoint], Attempts: s.Total.Attempts, Succeeded: s.Total.Succeeded, Failed: s.Total.Failed,
			Rate: share(s.Total.Succeeded, s.Total.Attempts), P50: took(s.Total.P50), P95: took(s.Total.P95), P99: took(s.Total.P99),
			Share:   coordinate(float64(s.Total.Attempts) / float64(max(list[0].Total.Attempts, 1)) * 1000),
			Spark:   timelineOf(s.Points, from, span.slot, span.slots).spark(),
			Pending: pending[s.Endpoint],
		}
		if row.Name == "" {
			row.Name = visible(s.Type + s.Endpoint)
		}
		o.Series = append(o.Series, row)
	}
}
