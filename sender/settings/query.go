package settings

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
)

// query are the parameters of a request. The first one that is wrong is kept
// in err; what is read after it means nothing.
type query struct {
	values url.Values
	err    error
}

// query reads the parameters, of which there may be those known.
func (c *call) query(known ...string) *query {
	values, err := url.ParseQuery(c.r.URL.RawQuery)
	q := &query{values: values}
	if err != nil {
		q.err = &refusal{status: http.StatusUnprocessableEntity, detail: "the query is malformed: encode each parameter and join them with &"}
		return q
	}
	for name := range values {
		if !slices.Contains(known, name) {
			q.fail(strings.ToValidUTF8(name, "\uFFFD"), "the parameter is unknown: there are "+strings.Join(known, ", "))
		}
	}
	return q
}

func (q *query) fail(name, what string) {
	if q.err == nil {
		q.err = wrong(name, "%s", what)
	}
}

// one is the value of a parameter that may be given once; empty when it is not
// given.
func (q *query) one(name string) string {
	values := q.values[name]
	if len(values) > 1 {
		q.fail(name, "it is given more than once: keep one")
	}
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// choice is a parameter that has one of a few values.
func (q *query) choice(name string, values ...string) string {
	s := q.one(name)
	if s != "" && !slices.Contains(values, s) {
		q.fail(name, strconv.Quote(s)+" is unknown: write "+strings.Join(values, " or "))
	}
	return s
}

// whole is a parameter that is a whole number.
func (q *query) whole(name string, least, most, otherwise int) int {
	s := q.one(name)
	if s == "" {
		return otherwise
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < least || n > most {
		q.fail(name, strconv.Quote(s)+" is not a whole number from "+strconv.Itoa(least)+" to "+strconv.Itoa(most)+": write such a number")
	}
	return n
}

// page are the parameters limit and cursor of a list that few are longer than.
func (q *query) page() sender.PageQuery {
	return sender.PageQuery{Limit: q.whole("limit", 1, 1000, 100), Cursor: q.one("cursor")}
}

// span are the parameters from and to. Zero times stand for what is not given.
func (q *query) span() (from, to time.Time) {
	from, to = q.time("from"), q.time("to")
	if !from.IsZero() && !to.IsZero() && !from.Before(to) {
		q.fail("from", "it is not before to: give the earlier time first")
	}
	return from, to
}

func (q *query) time(name string) time.Time {
	s := q.one(name)
	if s == "" {
		return time.Time{}
	}
	t, err := parseTime(s)
	if err != nil {
		what := err.Error()
		if strings.Contains(s, " ") {
			what += "; a + must be encoded as %2B"
		}
		q.fail(name, what)
	}
	return t
}

// each reads a parameter that may be given several times, and adds what it
// means to a list.
func each[T any](q *query, name string, parse func(string) (T, error)) (list []T) {
	for _, s := range q.values[name] {
		if s == "" { // as a form sends what was left empty
			continue
		}
		v, err := parse(s)
		if err != nil {
			q.fail(name, err.Error())
			return nil
		}
		list = append(list, v)
	}
	return list
}
