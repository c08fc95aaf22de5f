package settings

import (
	"net/http"
	"net/url"
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
	P50, P99            string
	Pending             int64
	Partly              bool // the earliest days are not counted yet
	Volume, Latency     *chart
	Table               []tableRow
	ByType              bool
	Series              []seriesRow
	More                int // series that are not shown
	Tenant              string
}

// seriesRow is one endpoint or one event type.
type seriesRow struct {
	ID, Name                  string
	Attempts, Failed, Pending int64
	Rate, P50, P95, P99       string
	Spark                     *spark
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
	counted, err := c.count(q, rollupScope{c.listed(), o.Endpoint, o.ByType, len(all)}, span)
	if err != nil {
		return err
	}
	t := &counted.total
	o.Pending, o.Partly = counted.pending, counted.partly
	o.Attempts, o.Succeeded, o.Lost, o.Failed = t.Attempts, t.Succeeded, t.Attempts-t.Succeeded, t.Failed
	o.Rate, o.P50, o.P99 = share(t.Succeeded, t.Attempts), took(t.Percentile(0.5)), took(t.Percentile(0.99))
	if t.Attempts > 0 {
		o.Volume, o.Latency, o.Table = counted.timeline.volume(), counted.timeline.latency(), counted.timeline.table()
	}
	o.describe(counted.series, endpointNames(all), pending)
	return nil
}

// describe describes the endpoints, or the event types, that had most attempts.
func (o *overview) describe(list []countedSeries, names map[string]string, pending map[string]int64) {
	const most = 20
	if len(list) > most {
		o.More, list = len(list)-most, list[:most]
	}
	for i := range list {
		s := &list[i]
		row := seriesRow{
			Name: visible(s.key), Attempts: s.total.Attempts, Failed: s.total.Failed, Rate: share(s.total.Succeeded, s.total.Attempts),
			P50: took(s.total.Percentile(0.5)), P95: took(s.total.Percentile(0.95)), P99: took(s.total.Percentile(0.99)), Spark: s.timeline.spark(),
		}
		if name := names[s.key]; name != "" && !o.ByType {
			row.ID, row.Name, row.Pending = s.key, name, pending[s.key]
		}
		o.Series = append(o.Series, row)
	}
}
