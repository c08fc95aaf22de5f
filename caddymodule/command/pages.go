package command

import (
	"bytes"
	"context"
	"encoding/json"
	"net/url"
	"strconv"
)

// maxPage is how many the API answers at once at most.
const maxPage = 100

// page is what the API answers of a list.
type page struct {
	items []json.RawMessage
	next  string
}

// page asks for one page of the list that has the name of its path.
func (c *call) page(ctx context.Context, path string, query url.Values, limit int) (page, error) {
	query.Set("limit", strconv.Itoa(min(limit, maxPage)))
	var answer map[string]json.RawMessage
	if _, err := c.client.ask(ctx, request{method: "GET", path: path, query: query}, &answer); err != nil {
		return page{}, err
	}
	var p page
	if err := json.Unmarshal(answer[path], &p.items); err != nil {
		return page{}, c.client.stranger()
	}
	if next, ok := answer["next"]; ok {
		if err := json.Unmarshal(next, &p.next); err != nil {
			return page{}, c.client.stranger()
		}
	}
	return p, nil
}

// pages asks for a list page by page, until there are limit items (0: all) or
// no more, and returns the cursor of what comes after.
func (c *call) pages(ctx context.Context, path string, query url.Values, limit int, each func([]json.RawMessage) error) (next string, err error) {
	for got := 0; ; {
		size := maxPage
		if limit > 0 {
			size = min(size, limit-got)
		}
		p, err := c.page(ctx, path, query, size)
		if err != nil {
			return "", err
		}
		if err := each(p.items); err != nil {
			return "", err
		}
		// A page may hold fewer than asked for and not be the last one.
		got += len(p.items)
		if p.next == "" || limit > 0 && got >= limit || c.out.err != nil {
			return p.next, c.out.err
		}
		query.Set("cursor", p.next)
	}
}

// listing is a list to show, of which limitFlags say how much: as a table, as one
// document, or as one line for each item where it may be long.
type listing struct {
	path  string // also the name of the member
	query url.Values

	// table is shown to people, a row for each item.
	table *table
	row   func(item json.RawMessage) ([]cell, error)

	none string // what to say when there are none
}

// listed shows a list.
func (c *call) listed(ctx context.Context, l listing) error {
	limit, err := c.limit()
	if err != nil {
		return err
	}
	if cursor := c.flags.String("cursor"); cursor != "" {
		l.query.Set("cursor", cursor)
	}
	asJSON := c.flags.Bool("json")
	all := make([]json.RawMessage, 0, min(limit, maxPage))
	shown := 0
	next, err := c.pages(ctx, l.path, l.query, limit, func(items []json.RawMessage) error {
		shown += len(items)
		if asJSON && limit > 0 {
			all = append(all, items...)
			return nil
		}
		rows := make([][]cell, 0, len(items))
		for _, item := range items {
			if asJSON {
				if err := c.out.jsonLine(item); err != nil {
					return err
				}
				continue
			}
			row, err := l.row(item)
			if err != nil {
				return err
			}
			rows = append(rows, row)
		}
		l.table.rows(c.out, rows...)
		return nil
	})
	switch {
	case err != nil:
		return err
	case asJSON && limit > 0:
		return c.out.page(l.path, all, next)
	case asJSON:
		return nil
	case shown == 0:
		c.notes.say("%s", l.none)
	case next != "":
		c.notes.say("These are the first %d: --all lists them all, --limit more of them.", shown)
	}
	return nil
}

// page writes a list as the API answers it.
func (s *screen) page(name string, items []json.RawMessage, next string) error {
	members := map[string]any{name: items}
	if next != "" {
		members["next"] = next
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(members); err != nil {
		return err
	}
	return s.json(b.Bytes())
}
