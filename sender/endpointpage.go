package sender

import (
	"context"
	"slices"
)

// EndpointPage is a part of the list of endpoints.
type EndpointPage struct {
	Endpoints []EndpointInfo

	// Next is the cursor of the page after; empty when there is none.
	Next string
}

// The lists that a cursor of endpoints may stand in.
const (
	configuredList = "c"
	managedList    = "m"
)

// EndpointPage returns a part of what [Sender.Endpoints] returns. Endpoints
// that are made or deleted between two pages make no other one appear twice or
// be left out. Errors wrap [ErrCursor], also when the endpoint of the
// configuration that the page before ended with is no more, or are the store's.
func (s *Sender) EndpointPage(ctx context.Context, tenant string, q PageQuery) (EndpointPage, error) {
	pending, err := s.pendingCounts(ctx)
	if err != nil {
		return EndpointPage{}, err
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	targets, managed := s.ownedBy(tenant)
	if q.Cursor != "" {
		if targets, managed, err = endpointsAfter(targets, managed, q.Cursor); err != nil {
			return EndpointPage{}, err
		}
	}
	limit := q.Limit
	if limit <= 0 {
		limit = len(targets) + len(managed)
	}
	page := EndpointPage{Endpoints: []EndpointInfo{}}
	configured := min(limit, len(targets))
	for _, t := range targets[:configured] {
		page.Endpoints = append(page.Endpoints, s.info(t, pending[t.id]))
	}
	made := min(limit-configured, len(managed))
	for _, m := range managed[:made] {
		page.Endpoints = append(page.Endpoints, s.info(s.directory.get(m.ID), pending[m.ID]))
	}
	if configured+made < len(targets)+len(managed) {
		last := page.Endpoints[len(page.Endpoints)-1]
		next := position{managedList, last.CreatedAt, last.ID}
		if last.ReadOnly {
			next.list = configuredList
		}
		page.Next = next.String()
	}
	return page, nil
}

// endpointsAfter are the endpoints that follow a cursor.
func endpointsAfter(targets []*target, managed []*managedEndpoint, cursor string) ([]*target, []*managedEndpoint, error) {
	at, err := parsePosition(cursor, configuredList, managedList)
	if err != nil {
		return nil, nil, err
	}
	if at.list == configuredList {
		i := slices.IndexFunc(targets, func(t *target) bool { return t.id == at.id })
		if i < 0 {
			return nil, nil, ErrCursor
		}
		return targets[i+1:], managed, nil
	}
	i, _ := slices.BinarySearchFunc(managed, at, func(m *managedEndpoint, at position) int {
		if at.compare(m.CreatedAt, m.ID) >= 0 {
			return -1
		}
		return 1
	})
	return nil, managed[i:], nil
}
