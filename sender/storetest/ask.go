package storetest

import (
	"context"
	"fmt"

	"github.com/manysends/caddy-webhooks/sender"
)

// manyPages is more pages than a listing of a test may have.
const manyPages = 10_000

// listAll lists all pages of a listing. It says so when a page has too many
// deliveries, or when there is no end to it.
func listAll(ctx context.Context, store sender.Store, q sender.DeliveryQuery) (all []sender.DeliverySummary, err error) {
	for range manyPages {
		page, err := store.Deliveries(ctx, q)
		if err != nil {
			return nil, err
		}
		if len(page.Deliveries) > q.Limit {
			return nil, fmt.Errorf("a page has %d deliveries, the limit is %d", len(page.Deliveries), q.Limit)
		}
		all = append(all, page.Deliveries...)
		if q.Cursor = page.Next; q.Cursor == "" {
			return all, nil
		}
	}
	return nil, fmt.Errorf("the listing does not end after %d pages", manyPages)
}

// pendingOf is how many deliveries are pending, by endpoint.
func pendingOf(ctx context.Context, store sender.Store) (map[string]int64, error) {
	counts, err := store.Pending(ctx)
	if err != nil {
		return nil, err
	}
	pending := map[string]int64{}
	for _, c := range counts {
		if _, twice := pending[c.EndpointID]; twice {
			return nil, fmt.Errorf("endpoint %s is counted twice", c.EndpointID)
		}
		pending[c.EndpointID] = c.Deliveries
	}
	return pending, nil
}

// documentsOf are the documents of a kind, by ID.
func documentsOf(ctx context.Context, store sender.Store, kind string) ([]sender.Document, error) {
	documents, err := store.Documents(ctx, kind)
	return sortedDocuments(documents), err
}

// missingAll lists all pages of the events that an endpoint has no delivery of.
// It says so when a page does not go on, or has too many events.
func missingAll(ctx context.Context, store sender.Store, q sender.MissingQuery) (all []sender.MissingEvent, err error) {
	for range manyPages {
		page, err := store.Missing(ctx, q)
		switch {
		case err != nil:
			return nil, err
		case len(page.Events) > q.Limit:
			return nil, fmt.Errorf("a page has %d events, the limit is %d", len(page.Events), q.Limit)
		case page.Last < q.After || page.More && page.Last == q.After:
			return nil, fmt.Errorf("the page after event %d ends at %d", q.After, page.Last)
		}
		all = append(all, page.Events...)
		if q.After = page.Last; !page.More {
			return all, nil
		}
	}
	return nil, fmt.Errorf("the listing does not end after %d pages", manyPages)
}
