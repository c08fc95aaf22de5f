package settings_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// TestPagesStaySmall fills everything that a page shows with as much as it may
// hold, and has browse check how large the pages are.
func TestPagesStaySmall(t *testing.T) {
	r := newRig(t)
	long := func(n int) string { return strings.Repeat(`"<`, n/2) }
	headers := make(map[string]string)
	for i := range 30 {
		headers[fmt.Sprintf("X-Header-Number-%d", i)] = strings.Repeat("v", 230)
	}
	endpoint := sender.Endpoint{
		Tenant: "acme", URL: r.site.URL + "/" + strings.Repeat("u", 1900), Description: long(1000), Headers: headers,
		Filter: `event != "` + strings.Repeat("x", 1000) + `"`, Retry: make([]webhook.Duration, 30),
	}
	for i := range endpoint.Retry {
		endpoint.Retry[i] = webhook.Duration(time.Duration(i+1) * time.Second)
	}
	for i := range 100 {
		endpoint.Events = append(endpoint.Events, fmt.Sprintf("%s%d.*", strings.Repeat("e", 60), i))
	}
	endpoint.Events[0] = "conversation.*"
	var id string
	for range 45 {
		info, _, err := r.sender.CreateEndpoint(t.Context(), sender.NewEndpoint{Endpoint: endpoint, Active: true})
		if err != nil {
			t.Fatal(err)
		}
		id = info.ID
	}
	r.site.does(func(w http.ResponseWriter, _ *http.Request) {
		for i := range 40 {
			w.Header().Set(fmt.Sprintf("X-Answer-%d", i), strings.Repeat("<", 180))
		}
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = w.Write([]byte(`["` + strings.Repeat(`<`, 15<<10) + `"]`))
	})
	r.publish("evt_"+strings.Repeat("1", 120), "conversation.created", `{"x":"`+strings.Repeat("<", 100<<10)+`"}`)
	until(t, "all deliveries have failed once", func() bool {
		page, err := r.sender.Deliveries(t.Context(), "acme", sender.DeliveryQuery{Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		attempted := 0
		for _, d := range page.Deliveries {
			if d.Attempts > 0 {
				attempted++
			}
		}
		return attempted == 45
	})
	delivery := r.do("GET", "/api/deliveries?endpoint="+id, "").at("deliveries.0.id")
	r.post("/endpoints/"+id+"/test", nil)
	for _, path := range []string{
		"/", "/?page=2", "/new", "/endpoints/" + id, "/endpoints/" + id + "/edit", "/endpoints/" + id + "/test", "/endpoints/" + id + "/test?result=1",
		"/endpoints/" + id + "/secret", "/endpoints/" + id + "/verify", "/deliveries", "/deliveries/" + delivery, "/events/evt_" + strings.Repeat("1", 120),
		"/overview", "/overview?span=hour", "/overview?span=week", "/overview?span=month&by=type", "/replay",
	} {
		a := r.browse(path).want(http.StatusOK)
		t.Logf("%6d bytes: %s", len(a.body), path)
	}
	r.browse("/").has("46 webhooks", "Next").lacks("Previous")
	r.browse("/?page=2").has("Previous").lacks(`rel="next"`)
	r.browse("/?q=nothing-like-it").has("Nothing found")
}
