package settings

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
)

// endpointHead is what every page of one endpoint begins with.
type endpointHead struct {
	ID, URL, Description, Tenant string
	State                        badge
	Reason                       string
	PausedUntil                  *moment
	ReadOnly                     bool
	Tab                          string
}

// head describes an endpoint for its pages, of which one is open.
func (c *call) head(info *sender.EndpointInfo, tab string) endpointHead {
	hide(&info.Endpoint)
	h := endpointHead{
		ID: info.ID, URL: shortened(info.URL, 2048), Description: visible(info.Description),
		State: stateBadge(info.State), Reason: sentence(visible(info.Reason)), PausedUntil: c.moment(info.PausedUntil),
		ReadOnly: info.ReadOnly, Tab: tab,
	}
	if c.operator {
		h.Tenant = visible(info.Tenant)
	}
	return h
}

// endpointDetail is the page of an endpoint.
type endpointDetail struct {
	endpointHead
	Secret                     string // made just now
	Inactive, Tested, Troubled bool
	Events                     []string
	Settings                   []setting
	Signed                     string
	Created, Updated, TestedAt *moment
	Last, LastFailure, Failing *moment
	Pending                    int64
	Day                        dayFigures
	Recent                     []deliveryRow
}

// setting is a name and its value.
type setting struct {
	Name, Value string
}

// dayFigures are those of the last day.
type dayFigures struct {
	Attempts      int64
	Rate          string
	P50, P95, P99 string
	Chart         *chart
}

func endpointPage(c *call) error {
	info, err := c.Endpoint(c.context(), c.tenant, c.id())
	if err != nil {
		return err
	}
	d := endpointDetail{
		endpointHead: c.head(&info, "summary"),
		Inactive:     info.State == sender.StateInactive || info.State == sender.StateTested,
		Tested:       info.State == sender.StateTested,
		Troubled:     info.State == sender.StateDisabled || info.State == sender.StatePaused,
		Events:       eventsOf(&info.Endpoint),
		Settings:     settingsOf(&info.Endpoint),
		Signed:       signedWith(&info),
		Created:      c.moment(info.CreatedAt), Updated: c.moment(info.UpdatedAt), TestedAt: c.moment(info.TestedAt),
		Last: c.moment(info.LastSuccessAt), LastFailure: c.moment(info.LastFailureAt), Failing: c.moment(info.FailingSince),
		Pending: info.Pending,
	}
	if d.Day, err = c.day(info.ID); err != nil {
		return err
	}
	page, err := c.Deliveries(c.context(), c.tenant, sender.DeliveryQuery{EndpointIDs: []string{info.ID}, Limit: 8})
	if err != nil {
		return err
	}
	d.Recent = c.deliveryRows(page.Deliveries, nil)
	if secret := c.takeSecret(info.ID); !c.readOnly() {
		d.Secret = secret
	}
	return c.page(http.StatusOK, "endpoint.html", d.URL, "endpoints", d)
}

// day works out the figures of an endpoint's last day.
func (c *call) day(id string) (d dayFigures, err error) {
	stats, err := c.Stats(c.context(), c.tenant, sender.StatsQuery{EndpointIDs: []string{id}, Step: sender.StepHour})
	if err != nil || stats.Total.Attempts == 0 {
		return d, err
	}
	t := &stats.Total
	return dayFigures{
		Attempts: t.Attempts, Rate: share(t.Succeeded, t.Attempts), P50: took(t.P50), P95: took(t.P95), P99: took(t.P99),
		Chart: timelineOf(stats.Points, stats.From, time.Hour, int(stats.To.Sub(stats.From)/time.Hour)).volume(),
	}, nil
}

// signedWith says how deliveries are signed.
func signedWith(info *sender.EndpointInfo) string {
	switch {
	case !info.Signed:
		return "Not signed"
	case len(info.PublicKeys) > 0:
		return "Ed25519, public key " + info.PublicKeys[0]
	}
	return "HMAC-SHA256"
}

// settingsOf are the settings that are not left at their defaults.
func settingsOf(e *sender.Endpoint) (list []setting) {
	add := func(name, value string) {
		if value != "" {
			list = append(list, setting{name, visible(value)})
		}
	}
	for _, f := range formatChoices {
		if f.Value == string(e.Format) || f.Value == "manysends" && e.Format == "" {
			add("Payload format", f.Text)
		}
	}
	add("Filter", e.Filter)
	if e.Rate != nil {
		add("Rate limit", e.Rate.String())
	}
	if e.Concurrency != 0 {
		add("Concurrency", fmt.Sprint(e.Concurrency))
	}
	if e.Ordering == "strict" {
		add("Ordering", "Strict: one event after the other")
	}
	if e.Timeout != 0 {
		add("Timeout", e.Timeout.String())
	}
	var waits []string
	for _, wait := range e.Retry {
		waits = append(waits, wait.String())
	}
	add("Retry schedule", strings.Join(waits, ", "))
	add("Headers", strings.Join(slices.Sorted(maps.Keys(e.Headers)), ", "))
	return list
}

func activateFromForm(c *call) error {
	if _, err := c.form(); err != nil {
		return err
	}
	info, err := c.Activate(c.context(), c.tenant, c.id())
	return c.changed(info.ID, "activated", err)
}

func deactivateFromForm(c *call) error {
	if _, err := c.form(); err != nil {
		return err
	}
	info, err := c.Deactivate(c.context(), c.tenant, c.id())
	return c.changed(info.ID, "deactivated", err)
}

// changed leads back to an endpoint that has been changed.
func (c *call) changed(id, notice string, err error) error {
	if err != nil {
		return err
	}
	return c.redirect("endpoints/" + url.PathEscape(id) + "?notice=" + notice)
}

// deletionPage asks whether an endpoint is really to be deleted.
func deletionPage(c *call) error {
	info, err := c.editable()
	if err != nil {
		return err
	}
	return c.page(http.StatusOK, "deletion.html", "Delete webhook", "endpoints", struct {
		endpointHead
		Pending int64
	}{c.head(&info, "edit"), info.Pending})
}

func deleteFromForm(c *call) error {
	if _, err := c.form(); err != nil {
		return err
	}
	if err := c.DeleteEndpoint(c.context(), c.tenant, c.id()); err != nil {
		return err
	}
	return c.redirect("?notice=deleted")
}
