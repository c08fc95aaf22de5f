package sender_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/manysends/caddy-webhooks/sender"
)

// TestIntakeTakesBatches publishes arrays and lines: each is accepted as a
// whole and every event delivered, or refused as a whole.
func TestIntakeTakesBatches(t *testing.T) {
	event := func(id string) string { return `{"id":"` + id + `","event":"message.created","data":{"n":1}}` }
	const other = `{"id":"x1","event":"message.created","data":{"n":2}}`
	lines := map[string]string{"Content-Type": "application/x-ndjson"}
	steps := []struct {
		name   string
		body   string
		header map[string]string
		status int
		ids    []string
		detail string
	}{
		{"array", "[" + event("x1") + "," + event("x2") + "]", nil, 202, []string{"x1", "x2"}, ""},
		{"lines", event("x3") + "\n" + event("x4") + "\n", lines, 202, []string{"x3", "x4"}, ""},
		{"array of one", "[" + event("x5") + "]", nil, 202, []string{"x5"}, ""},
		{"partly published before", "[" + event("x5") + "," + event("x6") + "]", nil, 202, []string{"x5", "x6"}, ""},
		{"all published before", "[" + event("x5") + "," + event("x6") + "]", nil, 200, []string{"x5", "x6"}, ""},
		{"the same twice", "[" + event("x7") + "," + event("x7") + "]", nil, 202, []string{"x7", "x7"}, ""},
		{"one of them conflicts", "[" + event("y1") + "," + other + "]", nil, 409, nil,
			`event "x1": another event has this ID with other content: publish it under an ID of its own`},
		{"one of them is wrong", "[" + event("y2") + `,{"event":"Message","data":1}]`, nil, 422, nil,
			`event 2: invalid event: event type "Message" is malformed: use lower-case words of letters, digits and "_" joined by dots, such as conversation.created`},
		{"the whole is cut off", "[" + event("y3") + ",", nil, 400, nil,
			"event 2: malformed body: the body is not valid JSON: it ends too early (at byte 54)"},
	}
	r, _, _, url := newIntake(t)
	for _, step := range steps {
		resp, answer := post(t, http.MethodPost, url, strings.NewReader(step.body), step.header)
		if resp.StatusCode != step.status {
			t.Fatalf("%s: %s %s, want %d", step.name, resp.Status, answer, step.status)
		}
		if step.detail != "" {
			var problem sender.Problem
			if err := json.Unmarshal([]byte(answer), &problem); err != nil || problem.Detail != step.detail {
				t.Errorf("%s: the detail is\n%s\nwant\n%s", step.name, problem.Detail, step.detail)
			}
			continue
		}
		if diff := cmp.Diff(step.ids, receivedIDs(t, answer)); diff != "" {
			t.Errorf("%s: wanted (-) and answered (+) differ:\n%s", step.name, diff)
		}
		for _, id := range step.ids {
			r.delivered("a", id)
		}
	}
	for _, id := range []string{"y1", "y2", "y3"} {
		if _, err := r.store.Event(t.Context(), "", id); err == nil {
			t.Errorf("%s was stored although its batch was refused", id)
		}
	}
}

// TestIdempotencyKeyOfABatch guards that a batch repeated under its key is the
// same batch, and that its events are told apart.
func TestIdempotencyKeyOfABatch(t *testing.T) {
	const body = `[{"event":"message.created","data":1},{"event":"message.created","data":1}]`
	_, _, _, url := newIntake(t)
	key := map[string]string{"Idempotency-Key": "import 5"}
	first, answer := post(t, http.MethodPost, url, strings.NewReader(body), key)
	again, repeated := post(t, http.MethodPost, url, strings.NewReader(body), key)
	if first.StatusCode != 202 || again.StatusCode != 200 || answer != repeated {
		t.Errorf("answers %s %sand %s %s", first.Status, answer, again.Status, repeated)
	}
	if ids := receivedIDs(t, answer); len(ids) != 2 || ids[0] == ids[1] {
		t.Errorf("the events of one batch have the IDs %q", ids)
	}
}

// receivedIDs reads the answer to a batch.
func receivedIDs(t *testing.T, answer string) (ids []string) {
	t.Helper()
	var receipts []sender.Receipt
	if err := json.Unmarshal([]byte(answer), &receipts); err != nil {
		t.Fatalf("the answer is %q: %v", answer, err)
	}
	for _, receipt := range receipts {
		ids = append(ids, receipt.ID)
	}
	return ids
}
