package webhook

import (
	"encoding/json"
	"fmt"
	"strings"
)

// EventType is one entry of a catalogue: a type that events may have.
type EventType struct {
	// Name is the type as it stands in events, such as "conversation.created".
	Name string `json:"name"`

	// Group is the heading the type is listed under. Default: the first word
	// of Name.
	Group string `json:"group,omitempty"`

	// Description says in one line when such an event happens.
	Description string `json:"description,omitempty"`
}

// UnmarshalJSON reads either the whole object or just the name as a string.
func (t *EventType) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		*t = EventType{}
		return json.Unmarshal(b, &t.Name)
	}
	type plain EventType
	return json.Unmarshal(b, (*plain)(t))
}

// ManySendsEventTypes is the catalogue of ManySends, in the order and under
// the headings of its settings page. It is the default catalogue of a sender.
// The slice is new at each call.
func ManySendsEventTypes() []EventType {
	return []EventType{
		{"conversation.created", "Conversation", "A new conversation was started."},
		{"conversation.status_changed", "Conversation", "The status of a conversation changed."},
		{"conversation.assigned", "Conversation", "A conversation was assigned to an agent or a team."},
		{"conversation.resolved", "Conversation", "A conversation was marked as resolved."},
		{"conversation.reopened", "Conversation", "A resolved conversation was opened again."},
		{"message.created", "Message", "A message was sent or received."},
		{"message.updated", "Message", "A message was edited, or its delivery status changed."},
		{"message.deleted", "Message", "A message was deleted."},
		{"message.reaction_added", "Message", "A reaction was added to a message."},
		{"message.reaction_removed", "Message", "A reaction was removed from a message."},
		{"agent.created", "Agent", "An agent was added to the account."},
		{"agent.updated", "Agent", "The details of an agent changed."},
		{"agent.deleted", "Agent", "An agent was removed from the account."},
		{"agent.status_changed", "Agent", "An agent went online, busy or offline."},
		{"label.created", "Label", "A label was created."},
		{"label.updated", "Label", "A label was renamed or recoloured."},
		{"label.deleted", "Label", "A label was deleted."},
		{"conversation.labeled", "Label", "A label was put on a conversation, or taken off it."},
	}
}

// maxEventTypeLength bounds event types and patterns.
const maxEventTypeLength = 128

// CheckEventType says what is wrong with the name of an event type, if
// anything. A name is one or more words of lower-case letters, digits and
// underscores, joined by dots, of at most 128 characters.
func CheckEventType(name string) error {
	if name == "" {
		return fmt.Errorf("event type is empty: name one such as conversation.created")
	}
	if len(name) > maxEventTypeLength {
		return fmt.Errorf("event type has %d characters: use at most %d", len(name), maxEventTypeLength)
	}
	wordStarts := true
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '_':
			wordStarts = false
		case c == '.' && !wordStarts:
			wordStarts = true
		default:
			return malformedType(name)
		}
	}
	if wordStarts {
		return malformedType(name)
	}
	return nil
}

func malformedType(name string) error {
	return fmt.Errorf("event type %q is malformed: use lower-case words of letters, digits and \"_\" joined by dots, such as conversation.created", name)
}

// Catalogue is a set of event types. The zero value holds none.
type Catalogue struct {
	types []EventType
	known map[string]struct{}
	any   bool
}

// NewCatalogue makes a catalogue of the types given. A type named "*" makes
// every well-formed type known. The error names the first type that is
// malformed or given twice.
func NewCatalogue(types []EventType) (*Catalogue, error) {
	c := &Catalogue{known: make(map[string]struct{}, len(types))}
	for _, t := range types {
		if t.Name == "*" {
			c.any = true
			continue
		}
		if err := CheckEventType(t.Name); err != nil {
			return nil, err
		}
		if _, twice := c.known[t.Name]; twice {
			return nil, fmt.Errorf("event type %q is listed twice: remove one", t.Name)
		}
		if t.Group == "" {
			word, _, _ := strings.Cut(t.Name, ".")
			t.Group = strings.ToUpper(word[:1]) + word[1:]
		}
		c.known[t.Name] = struct{}{}
		c.types = append(c.types, t)
	}
	return c, nil
}

// Knows tells whether events of this type may be published.
func (c *Catalogue) Knows(name string) bool {
	if _, ok := c.known[name]; ok {
		return true
	}
	return c.any && CheckEventType(name) == nil
}

// Types lists the types in the order they were given. The "*" entry is not
// among them.
func (c *Catalogue) Types() []EventType { return c.types }

// Pattern selects event types: an exact type ("message.created"), all types
// below a word ("conversation.*", which also selects
// "conversation.note.created" but not "conversation"), or all ("*").
type Pattern string

// ParsePattern reads a pattern. The error says what is wrong with it.
func ParsePattern(s string) (Pattern, error) {
	if s == "*" {
		return Pattern(s), nil
	}
	name := strings.TrimSuffix(s, ".*")
	if err := CheckEventType(name); err != nil {
		return "", fmt.Errorf("event pattern %q is malformed: use an exact type such as message.created, a group such as message.*, or * for all", s)
	}
	return Pattern(s), nil
}

// Match tells whether the pattern selects the event type.
func (p Pattern) Match(eventType string) bool {
	if p == "*" {
		return true
	}
	if stem, ok := strings.CutSuffix(string(p), "*"); ok { // stem ends with the dot
		return len(eventType) > len(stem) && eventType[:len(stem)] == stem
	}
	return string(p) == eventType
}
