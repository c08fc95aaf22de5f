package webhook_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/manysends/caddy-webhooks/webhook"
)

func TestManySendsEventTypes(t *testing.T) {
	// The order and the headings of the settings page.
	want := []struct {
		group string
		names []string
	}{
		{"Conversation", []string{"conversation.created", "conversation.status_changed", "conversation.assigned", "conversation.resolved", "conversation.reopened"}},
		{"Message", []string{"message.created", "message.updated", "message.deleted", "message.reaction_added", "message.reaction_removed"}},
		{"Agent", []string{"agent.created", "agent.updated", "agent.deleted", "agent.status_changed"}},
		{"Label", []string{"label.created", "label.updated", "label.deleted", "conversation.labeled"}},
	}
	var wantTypes, gotTypes []webhook.EventType
	for _, g := range want {
		for _, name := range g.names {
			wantTypes = append(wantTypes, webhook.EventType{Name: name, Group: g.group})
		}
	}
	for _, et := range webhook.ManySendsEventTypes() {
		if !strings.HasSuffix(et.Description, ".") || strings.Contains(et.Description, "\n") {
			t.Errorf("%s: the description %q is not one sentence on one line", et.Name, et.Description)
		}
		et.Description, et.Sample = "", nil
		gotTypes = append(gotTypes, et)
	}
	if diff := cmp.Diff(wantTypes, gotTypes); diff != "" || len(gotTypes) != 18 {
		t.Errorf("%d types (-want +got):\n%s", len(gotTypes), diff)
	}
	if _, err := webhook.NewCatalogue(webhook.ManySendsEventTypes()); err != nil {
		t.Error(err)
	}
	webhook.ManySendsEventTypes()[0].Name = "changed"
	if webhook.ManySendsEventTypes()[0].Name != "conversation.created" {
		t.Error("a caller can change the catalogue of the next one")
	}
}

func TestCheckEventType(t *testing.T) {
	for _, name := range []string{"ping", "conversation.created", "message.reaction_added", "a.b.c.d", "v2.order_42", "_", strings.Repeat("x", 128)} {
		if err := webhook.CheckEventType(name); err != nil {
			t.Errorf("%q is refused: %v", name, err)
		}
	}
	for name, want := range map[string]string{
		"":                       "event type is empty: name one such as conversation.created",
		strings.Repeat("x", 129): "event type has 129 characters: use at most 128",
	} {
		if err := webhook.CheckEventType(name); err == nil || err.Error() != want {
			t.Errorf("CheckEventType(%q) = %v, want %s", name, err, want)
		}
	}
	for _, name := range []string{".", ".a", "a.", "a..b", "A", "conversation.Created", "a b", "a-b", "a/b", "é", "*", "a.*", "a\n", "a\"b", "a\\b"} {
		err := webhook.CheckEventType(name)
		if err == nil || !strings.HasSuffix(err.Error(), ` is malformed: use lower-case words of letters, digits and "_" joined by dots, such as conversation.created`) {
			t.Errorf("CheckEventType(%q) = %v", name, err)
		}
	}
}

func TestCatalogue(t *testing.T) {
	listed := []webhook.EventType{{Name: "order.paid"}, {Name: "invoice.sent", Group: "Billing", Description: "An invoice went out."}}
	c, err := webhook.NewCatalogue(listed)
	if err != nil {
		t.Fatal(err)
	}
	want := []webhook.EventType{{Name: "order.paid", Group: "Order"}, {Name: "invoice.sent", Group: "Billing", Description: "An invoice went out."}}
	if diff := cmp.Diff(want, c.Types()); diff != "" {
		t.Errorf("Types() (-want +got):\n%s", diff)
	}
	open, err := webhook.NewCatalogue([]webhook.EventType{{Name: "order.paid"}, {Name: "*"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := len(open.Types()); got != 1 {
		t.Errorf("a catalogue of one type and * lists %d types", got)
	}
	for name, knows := range map[string][3]bool{ // zero value, listed, open
		"order.paid":     {false, true, true},
		"order.refunded": {false, false, true},
		"Order.Paid":     {false, false, false},
		"*":              {false, false, false},
		"":               {false, false, false},
	} {
		got := [3]bool{new(webhook.Catalogue).Knows(name), c.Knows(name), open.Knows(name)}
		if got != knows {
			t.Errorf("Knows(%q) of the zero value, the listed and the open catalogue = %v, want %v", name, got, knows)
		}
	}

	if _, err := webhook.NewCatalogue([]webhook.EventType{{Name: "a"}, {Name: "a"}}); err == nil || err.Error() != `event type "a" is listed twice: remove one` {
		t.Errorf("a type listed twice: %v", err)
	}
	if _, err := webhook.NewCatalogue([]webhook.EventType{{Name: "a"}, {Name: "B"}}); err == nil || !strings.Contains(err.Error(), `event type "B" is malformed`) {
		t.Errorf("a malformed type: %v", err)
	}
}

func TestEventTypeJSON(t *testing.T) {
	var got []webhook.EventType
	err := json.Unmarshal([]byte(`["order.paid",{"name":"a.b","group":"G","description":"D.","sample":{"id":1}}]`), &got)
	want := []webhook.EventType{{Name: "order.paid"}, {Name: "a.b", Group: "G", Description: "D.", Sample: json.RawMessage(`{"id":1}`)}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, bad := range []string{`[1]`, `[{"name":1}]`, `[["a"]]`} {
		if err := json.Unmarshal([]byte(bad), &got); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
	// A name alone leaves nothing of an earlier value behind.
	reused := webhook.EventType{Name: "x", Group: "X", Sample: json.RawMessage("1")}
	if err := json.Unmarshal([]byte(`"y"`), &reused); err != nil || !cmp.Equal(reused, webhook.EventType{Name: "y"}) {
		t.Errorf("read over another type: %+v, %v", reused, err)
	}
}

func TestPatternMatch(t *testing.T) {
	tests := []struct {
		pattern  string
		selects  []string
		excludes []string
	}{
		{"*", []string{"ping", "conversation.created"}, nil},
		{"message.created", []string{"message.created"}, []string{"message", "message.created.late", "message.createdx", "xmessage.created"}},
		{"conversation.*", []string{"conversation.created", "conversation.note.created"}, []string{"conversation", "conversations.created", "my.conversation.created"}},
		{"a.b.*", []string{"a.b.c", "a.b.c.d"}, []string{"a.b", "a.c", "a.bc.d"}},
	}
	for _, tt := range tests {
		t.Run(tt.pattern, func(t *testing.T) {
			p, err := webhook.ParsePattern(tt.pattern)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range tt.selects {
				if !p.Match(name) {
					t.Errorf("does not select %s", name)
				}
			}
			for _, name := range tt.excludes {
				if p.Match(name) {
					t.Errorf("selects %s", name)
				}
			}
		})
	}
	for _, bad := range []string{"", ".*", "*.*", "*.created", "a.*.*", "a.*.b", "a*", "a.b*", "**", "A.*", "a,b", " *"} {
		_, err := webhook.ParsePattern(bad)
		want := "is malformed: use an exact type such as message.created, a group such as message.*, or * for all"
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("ParsePattern(%q) = %v", bad, err)
		}
	}
}

// selects is what a pattern means, word by word.
func selects(pattern, eventType string) bool {
	if pattern == "*" {
		return true
	}
	p, words := strings.Split(pattern, "."), strings.Split(eventType, ".")
	if p[len(p)-1] == "*" {
		p = p[:len(p)-1]
		if len(words) <= len(p) {
			return false
		}
		words = words[:len(p)]
	}
	return strings.Join(p, "/") == strings.Join(words, "/")
}

func FuzzParsePattern(f *testing.F) {
	for _, seed := range [][2]string{{"*", "a"}, {"a.*", "a.b"}, {"a.*", "a"}, {"a.b", "a.b"}, {"a.b.*", "a.bc.d"}, {"a*", "ab"}, {"", ""}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, pattern, eventType string) {
		p, err := webhook.ParsePattern(pattern)
		if err != nil {
			return
		}
		if string(p) != pattern {
			t.Errorf("%q was read as %q", pattern, p)
		}
		// A pattern selects its own example.
		if example := strings.Replace(pattern, "*", "example", 1); !p.Match(example) {
			t.Errorf("%q does not select %q", pattern, example)
		}
		if webhook.CheckEventType(eventType) != nil {
			return
		}
		if got, want := p.Match(eventType), selects(pattern, eventType); got != want {
			t.Errorf("%q selects %q: %v, want %v", pattern, eventType, got, want)
		}
	})
}
