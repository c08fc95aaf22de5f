package settings

import (
	"encoding"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/manysends/caddy-webhooks/internal/jsonkind"
	"github.com/manysends/caddy-webhooks/webhook"
)

// What follows makes readers of members, for [fields]. null is the zero value
// to all of them.

// expected says what should have stood in place of a value.
func expected(v jsontext.Value, instead string) error {
	return fmt.Errorf("it is a JSON %s: write %s", jsonkind.Name(v.Kind()), instead)
}

// unquote reads a JSON string, which must be valid.
func unquote(v jsontext.Value) (string, error) {
	s, err := jsontext.AppendUnquote(nil, v)
	return string(s), err
}

// text reads a string.
func text[T ~string](dst *T) func(jsontext.Value) error {
	return parsed(dst, "a string", func(s string) (T, error) { return T(s), nil })
}

// parsed reads a string that means something.
func parsed[T any](dst *T, instead string, parse func(string) (T, error)) func(jsontext.Value) error {
	return func(v jsontext.Value) error {
		var zero T
		switch v.Kind() {
		case 'n':
			*dst = zero
			return nil
		case '"':
		default:
			return expected(v, instead)
		}
		s, err := unquote(v)
		if err != nil {
			return err
		}
		value, err := parse(s)
		if err != nil {
			return err
		}
		*dst = value
		return nil
	}
}

// listed reads an array of strings, each of which means something. An empty one
// is refused: to the sender it is the default, such as all event types, which
// nobody means who has ticked none.
func listed[T any](dst *[]T, instead string, parse func(string) (T, error)) func(jsontext.Value) error {
	return func(v jsontext.Value) error {
		switch v.Kind() {
		case 'n':
			*dst = nil
			return nil
		case '[':
		default:
			return expected(v, "an array, each of it "+instead)
		}
		var list []T
		for element := range elements(v) {
			var one T
			if element.Kind() == 'n' {
				return expected(element, instead)
			}
			if err := parsed(&one, instead, parse)(element); err != nil {
				return err
			}
			list = append(list, one)
		}
		if len(list) == 0 {
			return errors.New("the list is empty: name at least one, or write null for the default")
		}
		*dst = list
		return nil
	}
}

// elements are those of an array, which must be valid.
func elements(v jsontext.Value) func(yield func(jsontext.Value) bool) {
	return func(yield func(jsontext.Value) bool) {
		d := jsontext.NewDecoder(strings.NewReader(string(v)))
		if _, err := d.ReadToken(); err != nil {
			return
		}
		for d.PeekKind() != ']' {
			element, err := d.ReadValue()
			if err != nil || !yield(element) {
				return
			}
		}
	}
}

// flag reads true or false.
func flag(dst *bool) func(jsontext.Value) error {
	return func(v jsontext.Value) error {
		switch v.Kind() {
		case 't', 'f', 'n':
			*dst = v.Kind() == 't'
			return nil
		}
		return expected(v, "true or false")
	}
}

// whole reads a whole number.
func whole(dst *int) func(jsontext.Value) error {
	return func(v jsontext.Value) error {
		switch v.Kind() {
		case 'n':
			*dst = 0
			return nil
		case '0':
			n, err := strconv.Atoi(string(v))
			if err != nil {
				return errors.New("it is not a whole number in range: write one such as 16")
			}
			*dst = n
			return nil
		}
		return expected(v, "a whole number such as 16")
	}
}

// named reads a string into something that knows the names of its values.
func named[T any, P interface {
	*T
	encoding.TextUnmarshaler
}](s string) (v T, err error) {
	err = P(&v).UnmarshalText([]byte(s))
	return v, err
}

// whatever takes any string for what it is.
func whatever(s string) (string, error) { return s, nil }

const (
	likeDuration = `text such as "30s" or "2h"`
	likeRate     = `text such as "100/s" or "100/s burst 200"`
	likeEvent    = "an event type, a group such as conversation.*, or *"
	likeTime     = `a time in RFC 3339 form such as "2024-03-05T10:30:00Z"`
)

func parseTime(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return t, errors.New("it is not in RFC 3339 form: write it such as 2024-03-05T10:30:00Z")
	}
	return t, nil
}

// rate reads the form that [webhook.Rate] is written in: "100/s burst 200".
func rate(dst **webhook.Rate) func(jsontext.Value) error {
	return parsed(dst, likeRate, func(s string) (*webhook.Rate, error) {
		short, burst, found := strings.Cut(s, " burst ")
		r, err := webhook.ParseRate(short)
		if err != nil {
			return nil, err
		}
		if found {
			if r.Burst, err = strconv.Atoi(burst); err != nil || r.Burst < 1 {
				return nil, errors.New("what follows burst is not a whole number above zero: write " + likeRate)
			}
		}
		return &r, nil
	})
}
