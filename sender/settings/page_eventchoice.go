package settings

import (
	"slices"
	"strings"

	"github.com/manysends/caddy-webhooks/webhook"
)

// eventChoice is an event type, or a pattern, that can be ticked.
type eventChoice struct {
	Value, Text string
	Checked     bool
}

// eventGroup are the event types under one heading.
type eventGroup struct {
	Name      string
	Wildcards []eventChoice
	Types     []eventChoice
}

// eventChoices are what an endpoint can subscribe to, and what of it was chosen.
type eventChoices struct {
	All    bool
	Groups []eventGroup
	Others string // patterns without a box of their own, one a line
}

// choicesOf offers the catalogue, with what is chosen ticked. A pattern such as
// conversation.* is offered once, in the first group that has such a type.
func choicesOf(types []webhook.EventType, chosen []string) eventChoices {
	left := make(map[string]bool, len(chosen))
	for _, pattern := range chosen {
		left[pattern] = true
	}
	choice := func(value, text string) eventChoice {
		c := eventChoice{value, text, left[value]}
		delete(left, value)
		return c
	}
	c := eventChoices{All: left["*"]}
	delete(left, "*")
	offered := make(map[string]bool)
	for _, t := range types {
		if len(c.Groups) == 0 || c.Groups[len(c.Groups)-1].Name != t.Group {
			if i := slices.IndexFunc(c.Groups, func(g eventGroup) bool { return g.Name == t.Group }); i >= 0 {
				c.Groups = append(slices.Delete(c.Groups, i, i+1), c.Groups[i])
			} else {
				c.Groups = append(c.Groups, eventGroup{Name: t.Group})
			}
		}
		g := &c.Groups[len(c.Groups)-1]
		if word, _, found := strings.Cut(t.Name, "."); found && !offered[word] {
			offered[word] = true
			g.Wildcards = append(g.Wildcards, choice(word+".*", ""))
		}
		g.Types = append(g.Types, choice(t.Name, t.Description))
	}
	var others []string
	for _, pattern := range chosen {
		if left[pattern] {
			others = append(others, pattern)
		}
	}
	c.Others = strings.Join(others, "\n")
	return c
}

// chosenEvents are the patterns of a form, without those that others among
// them cover.
func chosenEvents(ticked []string, others string) (list []string) {
	all := slices.Concat(ticked, lines(others))
	for _, one := range all {
		if !slices.Contains(list, one) && !slices.ContainsFunc(all, func(other string) bool { return other != one && covers(other, one) }) {
			list = append(list, one)
		}
	}
	return list
}

// covers tells whether a pattern selects all that another one does.
func covers(pattern, other string) bool {
	p, err := webhook.ParsePattern(pattern)
	if err != nil || other == "*" {
		return false
	}
	if group, found := strings.CutSuffix(other, "*"); found {
		other = group + "any"
	}
	return p.Match(other)
}
