package settings

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// endpointForm is the form that an endpoint is made with, or changed.
type endpointForm struct {
	ID string // empty for one to be made

	URL, Description                string
	Headers, Rate, Concurrency      string
	Format, Filter, Timeout, Retry  string
	Strict, Active                  bool
	Events                          eventChoices
	Signing, Secret                 string
	CheckedURL                      string // what has been warned of already
	Checks                          []sender.TestCheck
	Formats                         []formatChoice
	Errors                          map[string]string
	Faulty                          []fieldFault
	Tenant                          string
	Operator                        bool
	SomethingAdvanced, AskForTenant bool
}

// fieldFault is what is wrong with a field.
type fieldFault struct {
	Name, Label, Text string
}

// formatChoice is a layout of the body.
type formatChoice struct {
	Value, Text string
}

var formatChoices = []formatChoice{
	{string(webhook.FormatManySends), "ManySends: event, timestamp, data, signature"},
	{string(webhook.FormatStandard), "Standard Webhooks: type, timestamp, data"},
	{string(webhook.FormatCloudEvents), "CloudEvents 1.0"},
	{string(webhook.FormatRaw), "Raw: the data as it was published"},
}

// signingGiven is chosen for a secret that somebody has.
const signingGiven = "given"

// fieldLabels are the fields of the form, in its order, by the name that errors
// have for them.
var fieldLabels = []formatChoice{
	{"url", "URL"}, {"description", "Description"}, {"tenant", "Tenant"}, {"events", "Events"}, {"secret", "Secret key"}, {"signing", "Secret key"},
	{"headers", "Headers"}, {"format", "Payload format"}, {"filter", "Filter"}, {"rate", "Rate limit"}, {"concurrency", "Concurrency"},
	{"ordering", "Ordering"}, {"timeout", "Timeout"}, {"retry", "Retry schedule"},
}

// formOf fills the form with an endpoint.
func (c *call) formOf(e *sender.Endpoint) *endpointForm {
	hide(e)
	f := &endpointForm{
		ID: e.ID, URL: e.URL, Description: e.Description, Filter: e.Filter, Format: string(e.Format), Strict: e.Ordering == "strict",
		Signing: string(sender.SigningHMAC), Tenant: e.Tenant,
	}
	for _, name := range slices.Sorted(maps.Keys(e.Headers)) {
		f.Headers += name + ": " + e.Headers[name] + "\n"
	}
	if e.Rate != nil {
		f.Rate = e.Rate.String()
	}
	if e.Concurrency != 0 {
		f.Concurrency = strconv.Itoa(e.Concurrency)
	}
	if e.Timeout != 0 {
		f.Timeout = e.Timeout.String()
	}
	for i, wait := range e.Retry {
		if i > 0 {
			f.Retry += " "
		}
		f.Retry += wait.String()
	}
	events := e.Events
	if e.ID != "" {
		events = eventsOf(e)
	}
	f.Events = choicesOf(c.EventTypes(), events)
	return f
}

// filled reads the form as it was posted.
func (c *call) filled(values url.Values) *endpointForm {
	f := &endpointForm{
		URL: strings.TrimSpace(values.Get("url")), Description: strings.TrimSpace(values.Get("description")),
		Headers: values.Get("headers"), Rate: strings.TrimSpace(values.Get("rate")), Concurrency: strings.TrimSpace(values.Get("concurrency")),
		Format: values.Get("format"), Filter: strings.TrimSpace(values.Get("filter")), Timeout: strings.TrimSpace(values.Get("timeout")),
		Retry: values.Get("retry"), Strict: values.Get("ordering") == "strict", Active: values.Get("active") != "",
		Signing: values.Get("signing"), Secret: strings.TrimSpace(values.Get("secret")), CheckedURL: values.Get("checked_url"),
		Tenant: values.Get("tenant"),
	}
	f.Events = choicesOf(c.EventTypes(), slices.Concat(values["events"], lines(values.Get("other_events"))))
	return f
}

// apply reads the form into an endpoint, and notes what is wrong.
func (f *endpointForm) apply(values url.Values, e *sender.Endpoint) (ok bool) {
	f.Errors = make(map[string]string)
	before := *e
	members := map[string]jsontext.Value{
		"url":         jsonText(f.URL),
		"description": jsonText(f.Description),
		"filter":      jsonText(f.Filter),
		"ordering":    jsonText(""),
		"format":      orNull(f.Format),
		"rate":        orNull(f.Rate),
		"timeout":     orNull(f.Timeout),
		"retry":       jsonTexts(strings.FieldsFunc(f.Retry, func(r rune) bool { return strings.ContainsRune(" ,\t\n", r) })),
		"concurrency": jsontext.Value("null"),
	}
	if f.Strict {
		members["ordering"] = jsonText("strict")
	}
	if f.Concurrency != "" {
		if n, err := strconv.ParseUint(f.Concurrency, 10, 31); err != nil {
			f.fault("concurrency", "it is not a whole number: write one such as 16")
		} else {
			members["concurrency"] = jsontext.Value(strconv.FormatUint(n, 10))
		}
	}
	events := chosenEvents(values["events"], values.Get("other_events"))
	if members["events"] = jsonTexts(events); len(events) == 0 {
		f.fault("events", "there is none: choose at least one, or all events")
	}
	for _, pattern := range events {
		if _, err := webhook.ParsePattern(pattern); err != nil {
			f.fault("events", err.Error())
		}
	}
	given, err := headerLines(f.Headers, e.Headers)
	if err != nil {
		f.fault("headers", err.Error())
	} else {
		members["headers"] = given
	}
	switch {
	case f.URL == "":
		f.fault("url", "it is empty: enter where events are posted to, such as https://example.com/webhooks")
	case !strings.Contains(f.URL, ":"):
		f.fault("url", "it does not say by which scheme: write it in full, such as https://example.com/webhooks")
	}
	known := endpointFields(e)
	for name, value := range members {
		if err := known[name](value); err != nil {
			f.fault(name, err.Error())
		}
	}
	if err := stayWithHost(&before, e, members["headers"]); err != nil {
		f.fault("headers", err.Error())
	}
	return len(f.Errors) == 0
}

// orNull is a text, or null for an empty one.
func orNull(s string) jsontext.Value {
	if s == "" {
		return jsontext.Value("null")
	}
	return jsonText(s)
}

// headerLines reads headers, one a line, as a change of the present ones: those
// that are not named go.
func headerLines(text string, present map[string]string) (jsontext.Value, error) {
	next := make(map[string]jsontext.Value)
	named := make(map[string]bool)
	for i, line := range lines(text) {
		name, value, found := strings.Cut(line, ":")
		name = strings.TrimSpace(name)
		if !found || name == "" {
			return nil, fmt.Errorf("line %d has no colon: write each header as Name: value", i+1)
		}
		if folded := strings.ToLower(name); named[folded] {
			return nil, fmt.Errorf("%s stands twice: keep one", shortened(name, 60))
		} else {
			named[folded] = true
		}
		next[name] = jsonText(strings.TrimSpace(value))
	}
	for name := range present {
		if !named[strings.ToLower(name)] {
			next[name] = jsontext.Value("null")
		}
	}
	v := []byte{'{'}
	for i, name := range slices.Sorted(maps.Keys(next)) {
		if i > 0 {
			v = append(v, ',')
		}
		v = append(append(append(v, jsonText(name)...), ':'), next[name]...)
	}
	return append(v, '}'), nil
}

// fault notes what is wrong with a field; the first thing counts.
func (f *endpointForm) fault(name, text string) {
	if f.Errors == nil {
		f.Errors = make(map[string]string)
	}
	if f.Errors[name] == "" {
		f.Errors[name] = sentence(strings.TrimPrefix(text, name+": "))
	}
}

// blame notes an error of the sender's about a field. It tells whether it was
// one.
func (f *endpointForm) blame(err error) bool {
	e := explain(err, "webhook")
	if e.status != http.StatusUnprocessableEntity {
		return false
	}
	if !slices.ContainsFunc(fieldLabels, func(l formatChoice) bool { return l.Value == e.field }) {
		e.field = "url" // there is always a place for it
	}
	f.fault(e.field, e.detail)
	return true
}

// warnOfURL explains what keeps deliveries from a URL. Whoever was warned of a
// host that has no address, and posts the same again, has his way, for the host
// may come to be.
func (c *call) warnOfURL(f *endpointForm) (fine bool) {
	if f.CheckedURL == f.URL {
		return true
	}
	f.Checks = c.CheckURL(c.context(), f.URL)
	last := f.Checks[len(f.Checks)-1]
	if last.OK {
		return true
	}
	text := last.Detail + " " + last.Remedy
	if last.Name == "dns" {
		f.CheckedURL = f.URL
		text += " To keep this URL all the same, send the form once more."
	}
	f.fault("url", text)
	return false
}

// formPage shows the form.
func (c *call) formPage(status int, f *endpointForm) error {
	f.Formats = formatChoices
	f.Faulty = nil
	for _, label := range fieldLabels {
		if text := f.Errors[label.Value]; text != "" {
			f.Faulty = append(f.Faulty, fieldFault{label.Value, label.Text, text})
		}
	}
	f.SomethingAdvanced = f.Headers != "" || f.Rate != "" || f.Concurrency != "" || f.Filter != "" || f.Timeout != "" || f.Retry != "" || f.Strict ||
		f.Format != "" && f.Format != string(webhook.FormatManySends)
	f.AskForTenant = c.operator && f.ID == ""
	title := "Create webhook"
	if f.ID != "" {
		title = "Edit webhook"
	}
	if len(f.Faulty) > 0 {
		title = "Error: " + title
	}
	return c.page(status, "endpointform.html", title, "endpoints", f)
}

func newEndpointPage(c *call) error {
	return c.formPage(http.StatusOK, c.formOf(&sender.Endpoint{Tenant: c.chosenTenant()}))
}

func createFromForm(c *call) error {
	values, err := c.form()
	if err != nil {
		return err
	}
	f := c.filled(values)
	e := sender.NewEndpoint{Active: f.Active}
	ok := f.apply(values, &e.Endpoint)
	switch f.Signing {
	case signingGiven:
		if e.Secrets = []string{f.Secret}; f.Secret == "" {
			f.fault("secret", "it is empty: enter it, or have one generated")
			ok = false
		}
	default:
		if err := signing(&e.Signing)(orNull(f.Signing)); err != nil {
			f.fault("secret", err.Error())
			ok = false
		}
	}
	if f.Errors["url"] == "" && !c.warnOfURL(f) {
		ok = false
	}
	if !ok {
		return c.formPage(http.StatusUnprocessableEntity, f)
	}
	e.Tenant = c.newTenant(f.Tenant)
	e.Most = c.handler.most()
	info, made, err := c.CreateEndpoint(c.context(), e)
	if err != nil {
		if f.blame(err) {
			return c.formPage(http.StatusUnprocessableEntity, f)
		}
		return err
	}
	if made != "" && f.Signing != signingGiven {
		c.handler.kept.put(c.Now(), c.keptKey("secret", info.ID), made)
	}
	notice := "created"
	if e.Active {
		notice = "active"
	}
	return c.redirect("endpoints/" + url.PathEscape(info.ID) + "?notice=" + notice)
}

// editable returns an endpoint that can be changed.
func (c *call) editable() (sender.EndpointInfo, error) {
	info, err := c.Endpoint(c.context(), c.tenant, c.id())
	if err == nil && info.ReadOnly {
		err = sender.ErrReadOnly
	}
	return info, err
}

func editEndpointPage(c *call) error {
	info, err := c.editable()
	if err != nil {
		return err
	}
	return c.formPage(http.StatusOK, c.formOf(&info.Endpoint))
}

// errForm ends a change that a form is not fit for.
var errForm = errors.New("the form has errors")

func updateFromForm(c *call) error {
	values, err := c.form()
	if err != nil {
		return err
	}
	before, err := c.editable()
	if err != nil {
		return err
	}
	f := c.filled(values)
	f.ID = before.ID
	hide(&before.Endpoint)
	// It takes a while to look a host up: nobody may be kept from changes.
	warned := f.URL != "" && f.URL != before.URL && !c.warnOfURL(f)
	warning := f.Errors["url"]
	_, err = c.UpdateEndpoint(c.context(), c.tenant, c.id(), func(e *sender.Endpoint) error {
		ok := f.apply(values, e)
		if warned {
			f.fault("url", warning)
		}
		if !ok || warned {
			return errForm
		}
		return nil
	})
	if errors.Is(err, errForm) || err != nil && f.blame(err) {
		return c.formPage(http.StatusUnprocessableEntity, f)
	}
	if err != nil {
		return err
	}
	return c.redirect("endpoints/" + url.PathEscape(before.ID) + "?notice=saved")
}

// checkURL tells a page that is being filled in what is the matter with a URL.
func checkURL(c *call) error {
	values, err := c.form()
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, struct {
		Checks []sender.TestCheck `json:"checks"`
	}{c.CheckURL(c.context(), strings.TrimSpace(values.Get("url")))})
}
