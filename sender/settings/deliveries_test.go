package settings_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// published is a rig with an active endpoint, to which five events went: two
// conversations and three messages, a second apart from 10:30:01 on.
func published(t *testing.T) (r *rig, endpoint string) {
	r = newRig(t)
	endpoint = r.create("/hooks", `,"active":true`)
	r.clock.advance(time.Millisecond)
	for i, eventType := range []string{"conversation.created", "message.created", "message.created", "conversation.assigned", "message.deleted"} {
		r.clock.advance(time.Second - 2*time.Millisecond)
		id := fmt.Sprintf("evt_%d", i+1)
		r.publish(id, eventType, `{}`)
		r.delivery(id, 1)
	}
	return r, endpoint
}

// eventIDs are the events of a listing.
func (a *answer) eventIDs() (ids []string) {
	var page struct {
		Deliveries []struct {
			EventID string `json:"event_id"`
		}
	}
	a.into(&page)
	for _, d := range page.Deliveries {
		ids = append(ids, d.EventID)
	}
	return ids
}

func TestListDeliveries(t *testing.T) {
	r, endpoint := published(t)
	second := r.create("/second", `,"active":true,"events":["agent.created"]`)
	r.site.answers(500, "")
	r.publish("evt_6", "agent.created", `{}`) // to three endpoints, of which all fail
	until(t, "all attempts of evt_6 are recorded", func() bool {
		a := r.do("GET", "/api/events/evt_6", "").want(http.StatusOK)
		return a.at("deliveries.0.attempts") == "1" && a.at("deliveries.1.attempts") == "1" && a.at("deliveries.2.attempts") == "1"
	})
	for query, want := range map[string]string{
		"":                                       "6 6 6 5 4 3 2 1",
		"order=newest":                           "6 6 6 5 4 3 2 1",
		"order=oldest":                           "1 2 3 4 5 6 6 6",
		"limit=2":                                "6 6",
		"limit=2&order=oldest":                   "1 2",
		"status=succeeded":                       "5 4 3 2 1",
		"status=pending":                         "6 6 6",
		"status=pending&status=succeeded":        "6 6 6 5 4 3 2 1",
		"status=cancelled":                       "",
		"type=message.created":                   "3 2",
		"type=message.*":                         "5 3 2",
		"type=message.deleted&type=agent.*":      "6 6 6 5",
		"type=*":                                 "6 6 6 5 4 3 2 1",
		"endpoint=" + second:                     "6",
		"endpoint=" + second + "&endpoint=fixed": "6 6",
		"endpoint=" + endpoint + "&type=message.*":                 "5 3 2",
		"endpoint=nobody":                                          "",
		"endpoint=&status=&type=&from=&to=&order=&limit=&cursor=":  "6 6 6 5 4 3 2 1", // as a form sends it
		"from=2024-03-05T10:30:03Z":                                "6 6 6 5 4 3",
		"to=2024-03-05T10:30:03Z":                                  "2 1",
		"from=2024-03-05T11:30:02%2B01:00&to=2024-03-05T10:30:03Z": "2",
	} {
		a := r.do("GET", "/api/deliveries?"+query, "").want(http.StatusOK)
		if got := strings.ReplaceAll(strings.Join(a.eventIDs(), " "), "evt_", ""); got != want {
			t.Errorf("%s lists %s, want %s", query, got, want)
		}
	}
	first := r.do("GET", "/api/deliveries?order=oldest&limit=1", "")
	for place, want := range map[string]string{
		"event_id": "evt_1", "event": "conversation.created", "endpoint": endpoint, "status": "succeeded", "attempts": "1", "due": "",
		"timestamp": "2024-03-05T10:30:01Z", "stored_at": "2024-03-05T10:30:01Z",
		"last.number": "1", "last.status_code": "200", "last.verdict": "succeeded", "last.request_headers": "",
	} {
		if got := first.at("deliveries.0." + place); got != want {
			t.Errorf("%s is %s, want %s", place, got, want)
		}
	}
	if last := r.do("GET", "/api/deliveries?status=pending&limit=1", ""); last.at("deliveries.0.due") == "" {
		t.Errorf("it is not told when the next attempt is due: %s", last.body)
	}
}

func TestListDeliveriesPageByPage(t *testing.T) {
	r, _ := published(t)
	for _, order := range []string{"newest", "oldest"} {
		all := r.do("GET", "/api/deliveries?order="+order, "").eventIDs()
		for limit := 1; limit <= 6; limit++ {
			var got []string
			next := ""
			for range 20 {
				a := r.do("GET", fmt.Sprintf("/api/deliveries?order=%s&limit=%d&cursor=%s", order, limit, url.QueryEscape(next)), "").want(http.StatusOK)
				got = append(got, a.eventIDs()...)
				if next = a.at("next"); next == "" {
					break
				}
			}
			if diff := cmp.Diff(all, got); diff != "" {
				t.Errorf("%s, %d a page: %s", order, limit, diff)
			}
		}
	}
}

func TestListDeliveriesRefusesWhatIsWrong(t *testing.T) {
	r, _ := published(t)
	for _, tt := range []struct{ query, field string }{
		{"status=lost", "status"},
		{"status=pending&status=lost", "status"},
		{"type=Message", "type"},
		{"type=a..b", "type"},
		{"from=yesterday", "from"},
		{"to=2024-03-05", "to"},
		{"from=2024-03-05T10:30:00+01:00", "from"}, // the + is a space
		{"from=2024-03-05T10:30:00Z&to=2024-03-05T10:30:00Z", "from"},
		{"from=2024-03-05T10:30:00Z&from=2024-03-05T10:30:00Z", "from"},
		{"order=random", "order"},
		{"limit=0", "limit"},
		{"limit=101", "limit"},
		{"limit=-1", "limit"},
		{"limit=ten", "limit"},
		{"limit=1&limit=2", "limit"},
		{"cursor=made-up", "cursor"},
		{"tenant=globex", "tenant"},
		{"a=%zz", ""},
		{"a;b", ""},
	} {
		r.do("GET", "/api/deliveries?"+tt.query, "").problem(http.StatusUnprocessableEntity, tt.field)
	}
	if got := r.do("GET", "/api/deliveries?from=2024-03-05T10:30:00+01:00", "").at("detail"); !strings.Contains(got, "%2B") {
		t.Errorf("it is not told what became of the +: %s", got)
	}
	// A cursor is for the query that it was made for.
	next := url.QueryEscape(r.do("GET", "/api/deliveries?limit=1", "").at("next"))
	r.do("GET", "/api/deliveries?limit=1&order=oldest&cursor="+next, "").problem(http.StatusUnprocessableEntity, "cursor")
}

func TestGetDelivery(t *testing.T) {
	binary := string([]byte{0xff, 0xfe, 0x00})
	for name, tt := range map[string]struct {
		answer, text, base64 string
	}{
		"no body":      {"", "", ""},
		"text":         {"out of order: \"ü\" <b>\x00", "out of order: \"ü\" <b>\x00", ""},
		"binary":       {binary, "", base64.StdEncoding.EncodeToString([]byte(binary))},
		"cut off text": {strings.Repeat("a", 16<<10-1) + "ü and more", strings.Repeat("a", 16<<10-1), ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			endpoint := r.create("/hooks", `,"active":true,"headers":{"X-Api-Key":"`+headerValue+`"}`)
			r.site.answers(500, tt.answer)
			const data = `{"n":10000000000000000000000.10,"s":"\u00e9 <a> \u2028","z":1,"a":null}`
			r.publish("evt_1", "message.created", data)
			id := r.delivery("evt_1", 1)
			a := r.do("GET", "/api/deliveries/"+id, "").want(http.StatusOK)
			for place, want := range map[string]string{
				"id": id, "event_id": "evt_1", "event": "message.created", "endpoint": endpoint, "status": "pending", "attempts": "1",
				"last.status_code": "500", "last.response_body": "", "history.0.number": "1", "history.0.status_code": "500",
				"history.0.verdict": "retry", "history.0.request_headers.Webhook-Id": `["evt_1"]`,
				"history.0.response_body": tt.text, "history.0.response_body_base64": tt.base64,
			} {
				if got := a.at(place); got != want {
					t.Errorf("%s is %q, want %q", place, got, want)
				}
			}
			// The data is the publisher's, byte for byte.
			if !strings.Contains(a.body, `"data":`+data+`,`) {
				t.Errorf("the data is not as it was published: %s", a.body)
			}
			if e := r.do("GET", "/api/events/evt_1", "").want(http.StatusOK); !strings.Contains(e.body, `"data":`+data+`,`) || e.at("deliveries.0.id") != id {
				t.Errorf("the event is %s", e.body)
			}
		})
	}
}

func TestRetryAndCancelDelivery(t *testing.T) {
	r := newRig(t)
	endpoint := r.create("/hooks", `,"active":true`)
	r.site.answers(500, "")
	r.publish("evt_1", "message.created", `{}`)
	id := r.delivery("evt_1", 1)

	a := r.do("POST", "/api/deliveries/"+id+"/cancel", "").want(http.StatusOK)
	until(t, "the delivery is cancelled", func() bool {
		a = r.do("GET", "/api/deliveries/"+id, "").want(http.StatusOK)
		return a.at("status") == "cancelled"
	})
	r.do("POST", "/api/deliveries/"+id+"/cancel", "{}").problem(http.StatusConflict, "")

	r.site.answers(204, "")
	if a = r.do("POST", "/api/deliveries/"+id+"/retry", "{}").want(http.StatusAccepted); a.at("id") != id {
		t.Errorf("it is answered %s", a.body)
	}
	r.delivery("evt_1", 2)
	a = r.do("GET", "/api/deliveries/"+id, "").want(http.StatusOK)
	if a.at("status") != "succeeded" || a.at("history.1.status_code") != "204" || a.at("history.0.status_code") != "500" {
		t.Errorf("the delivery is %s", a.body)
	}
	r.do("POST", "/api/deliveries/"+id+"/cancel", "").problem(http.StatusConflict, "")

	r.do("DELETE", "/api/endpoints/"+endpoint, "").want(http.StatusNoContent)
	r.do("POST", "/api/deliveries/"+id+"/retry", "").problem(http.StatusConflict, "")
}

func TestRetryOfADeliveryThatIsUnderWay(t *testing.T) {
	r := newRig(t)
	r.create("/hooks", `,"active":true`)
	arrived, leave := make(chan struct{}), make(chan struct{})
	r.site.does(func(http.ResponseWriter, *http.Request) {
		close(arrived)
		<-leave
	})
	r.publish("evt_1", "message.created", `{}`)
	<-arrived
	id := r.do("GET", "/api/events/evt_1", "").want(http.StatusOK).at("deliveries.0.id")
	r.do("POST", "/api/deliveries/"+id+"/retry", "").problem(http.StatusConflict, "")
	close(leave)
	r.delivery("evt_1", 1)
}
