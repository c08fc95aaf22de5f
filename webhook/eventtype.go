package webhook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// EventType is one entry of a catalogue: a type that events may have.
type EventType struct {
	// Name is the type as it stands in events, such as "conversation.created".
	// Required.
	Name string `json:"name"`

	// Group is the heading the type is listed under. Default: the first word
	// of Name.
	Group string `json:"group,omitempty"`

	// Description says in one line when such an event happens.
	Description string `json:"description,omitempty"`

	// Sample is the data of such an event, for tests and documentation. See
	// [EventType.SampleData] for what stands in for one that is missing.
	Sample json.RawMessage `json:"sample,omitempty"`
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

// defaultGroup is the first word of a well-formed name, as a heading.
func (t EventType) defaultGroup() string {
	word, _, _ := strings.Cut(t.Name, ".")
	return strings.ToUpper(word[:1]) + word[1:]
}

// SampleData is the data of a sample event of the type, as compact JSON: that
// of Sample, or a small generic object. The slice is new at each call.
func (t EventType) SampleData() []byte {
	if len(t.Sample) > 0 {
		var compact bytes.Buffer
		if json.Compact(&compact, t.Sample) == nil {
			return compact.Bytes()
		}
	}
	word := "sample"
	if CheckEventType(t.Name) == nil {
		word, _, _ = strings.Cut(t.Name, ".")
	}
	return []byte(`{"id":"` + word + `_123","sample":true}`)
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
	known map[string]int // where it stands in types
	any   bool
}

// NewCatalogue makes a catalogue of the types given. A type named "*" makes
// every well-formed type known. The error names the first type that is
// malformed, given twice, or has a sample that is not JSON.
func NewCatalogue(types []EventType) (*Catalogue, error) {
	c := &Catalogue{known: make(map[string]int, len(types))}
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
			t.Group = t.defaultGroup()
		}
		if len(t.Sample) > 0 {
			if !json.Valid(t.Sample) {
				return nil, fmt.Errorf("event type %q: its sample is not valid JSON: write the data of such an event, such as {\"id\":\"conv_123\"}, or leave it out", t.Name)
			}
			t.Sample = t.SampleData()
		}
		c.known[t.Name] = len(c.types)
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

// Find returns the entry of a type, or one made up for a well-formed type that
// is known by "*" alone. It tells whether events of the type may be published.
func (c *Catalogue) Find(name string) (EventType, bool) {
	if i, ok := c.known[name]; ok {
		return c.types[i], true
	}
	if !c.Knows(name) {
		return EventType{}, false
	}
	t := EventType{Name: name}
	t.Group = t.defaultGroup()
	return t, true
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
