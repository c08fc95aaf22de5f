package webhook_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/manysends/caddy-webhooks/webhook"
)

// TestManySendsSamples: every type has a sample that can be published as it is,
// and the samples agree on what they are about.
func TestManySendsSamples(t *testing.T) {
	const conversation = `{"id":"conv_123","status":"open","inbox_id":1,"contact_id":456}`
	// What a member says wherever it stands.
	same := map[string]any{
		"conversation_id": "conv_123", "inbox_id": 1.0, "contact_id": 456.0,
	}
	ids := map[string]any{"Conversation": "conv_123", "Message": "msg_789", "Agent": 7.0, "Label": 12.0}
	for _, et := range webhook.ManySendsEventTypes() {
		if len(et.Sample) == 0 {
			t.Errorf("%s has no sample", et.Name)
			continue
		}
		if got := et.SampleData(); !bytes.Equal(got, et.Sample) {
			t.Errorf("%s: the sample is not compact: %s", et.Name, et.Sample)
		}
		var data map[string]any
		if err := json.Unmarshal(et.Sample, &data); err != nil {
			t.Errorf("%s: the sample is not a JSON object: %v", et.Name, err)
			continue
		}
		for name, want := range same {
			if got, there := data[name]; there && got != want {
				t.Errorf("%s: %s is %v, want %v as in the others", et.Name, name, got, want)
			}
		}
		group := et.Group
		if et.Name == "conversation.labeled" {
			group = "Conversation"
		}
		if data["id"] != ids[group] {
			t.Errorf("%s: id is %v, want %v", et.Name, data["id"], ids[group])
		}
		if et.Name == "conversation.created" && string(et.Sample) != conversation {
			t.Errorf("%s: %s, want %s", et.Name, et.Sample, conversation)
		}
	}
	webhook.ManySendsEventTypes()[0].Sample[0] = '!'
	if webhook.ManySendsEventTypes()[0].Sample[0] != '{' {
		t.Error("a caller can change the sample of the next one")
	}
}

func TestSampleData(t *testing.T) {
	tests := []struct {
		eventType webhook.EventType
		want      string
	}{
		{webhook.EventType{Name: "order.paid", Sample: json.RawMessage(" {\n\"id\" : 1.0 } ")}, `{"id":1.0}`},
		{webhook.EventType{Name: "order.paid", Sample: json.RawMessage(`[]`)}, `[]`},
		{webhook.EventType{Name: "order.paid"}, `{"id":"order_123","sample":true}`},
		{webhook.EventType{Name: "order"}, `{"id":"order_123","sample":true}`},
		{webhook.EventType{Name: "order.paid", Sample: json.RawMessage(`{`)}, `{"id":"order_123","sample":true}`},
		{webhook.EventType{}, `{"id":"sample_123","sample":true}`},
		{webhook.EventType{Name: `"`}, `{"id":"sample_123","sample":true}`},
		{webhook.EventType{Name: "*"}, `{"id":"sample_123","sample":true}`},
	}
	for _, test := range tests {
		got := test.eventType.SampleData()
		if string(got) != test.want {
			t.Errorf("%+v: %s, want %s", test.eventType, got, test.want)
		}
		if !json.Valid(got) {
			t.Errorf("%+v: %s is not JSON", test.eventType, got)
		}
	}
}

func TestCatalogueSamples(t *testing.T) {
	c, err := webhook.NewCatalogue([]webhook.EventType{{Name: "order.paid", Sample: json.RawMessage(`{ "id": 1 }`)}, {Name: "*"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]webhook.EventType{
		"order.paid": {Name: "order.paid", Group: "Order", Sample: json.RawMessage(`{"id":1}`)},
		"order.sent": {Name: "order.sent", Group: "Order"},
	} {
		got, found := c.Find(name)
		if diff := cmp.Diff(want, got); !found || diff != "" {
			t.Errorf("%s is found: %t (-want +got):\n%s", name, found, diff)
		}
	}
	for _, name := range []string{"", "*", "Order.Paid"} {
		if got, found := c.Find(name); found {
			t.Errorf("%q is found: %+v", name, got)
		}
	}
	if _, found := new(webhook.Catalogue).Find("order.paid"); found {
		t.Error("an empty catalogue finds a type")
	}
	for _, bad := range []string{"{", "{}{}", "plain", " ", "{\"a\":1,}"} {
		_, err := webhook.NewCatalogue([]webhook.EventType{{Name: "order.paid", Sample: json.RawMessage(bad)}})
		if err == nil || !strings.HasPrefix(err.Error(), `event type "order.paid": its sample is not valid JSON: write the data`) {
			t.Errorf("the sample %q: %v", bad, err)
		}
	}
}
