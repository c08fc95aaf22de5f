package postgresstore

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// endpoints are the numbers of endpoints, as far as they have been needed. A
// number keeps its endpoint for ever.
type endpoints struct {
	mu     sync.RWMutex
	number map[string]int32
	id     map[int32]string
}

func (e *endpoints) init() {
	e.number, e.id = map[string]int32{}, map[int32]string{}
}

func (e *endpoints) add(number int32, id string) {
	e.mu.Lock()
	e.number[id], e.id[number] = number, id
	e.mu.Unlock()
}

// known is the number of an endpoint, if it has been needed before.
func (e *endpoints) known(id string) (int32, bool) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	number, known := e.number[id]
	return number, known
}

// missing are those of the IDs whose numbers are not known.
func (e *endpoints) missing(ids []string) (missing []string) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	for _, id := range ids {
		if _, known := e.number[id]; !known {
			missing = append(missing, id)
		}
	}
	return missing
}

// isText tells whether PostgreSQL has text of that kind. What else somebody asks for
// is not there.
func isText(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }

// numbers are those of endpoints, ascending and each once. Endpoints that never
// had a delivery have none.
func (s *Store) numbers(ctx context.Context, conn *pgxpool.Conn, ids []string) ([]int32, error) {
	missing := slices.DeleteFunc(s.endpoints.missing(ids), func(id string) bool { return !isText(id) })
	if len(missing) > 0 {
		if err := s.learnEndpoints(ctx, conn, `SELECT number, id FROM {s}.endpoints WHERE id = ANY($1::text[])`, missing); err != nil {
			return nil, err
		}
	}
	var numbers []int32
	for _, id := range ids {
		if number, known := s.endpoints.known(id); known {
			numbers = append(numbers, number)
		}
	}
	slices.Sort(numbers)
	return slices.Compact(numbers), nil
}

// learnEndpoints runs a statement that answers with numbers and IDs.
func (s *Store) learnEndpoints(ctx context.Context, conn *pgxpool.Conn, statement string, args ...any) error {
	rows, err := conn.Query(ctx, s.in(statement), args...)
	if err != nil {
		return err
	}
	return each(rows, func(rows pgx.Rows) error {
		var number int32
		var id string
		err := rows.Scan(&number, &id)
		s.endpoints.add(number, id)
		return err
	})
}

// numberEndpoints sees to it that endpoints have numbers. Numbers that are given
// for nothing do no harm, so that it needs no transaction with others.
func (s *Store) numberEndpoints(ctx context.Context, conn *pgxpool.Conn, ids []string) error {
	missing := s.endpoints.missing(ids)
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	missing = slices.Compact(missing)
	if _, err := s.numbers(ctx, conn, missing); err != nil {
		return err
	}
	if missing = s.endpoints.missing(missing); len(missing) == 0 {
		return nil
	}
	if _, err := conn.Exec(ctx, s.in(`INSERT INTO {s}.endpoints (id) SELECT * FROM unnest($1::text[]) ON CONFLICT DO NOTHING`), missing); err != nil {
		return err
	}
	_, err := s.numbers(ctx, conn, missing)
	return err
}

// name is the ID of the endpoint of a number that a row has.
func (s *Store) name(ctx context.Context, conn *pgxpool.Conn, number int32) (string, error) {
	s.endpoints.mu.RLock()
	id, known := s.endpoints.id[number]
	s.endpoints.mu.RUnlock()
	if known {
		return id, nil
	}
	if err := s.learnEndpoints(ctx, conn, `SELECT number, id FROM {s}.endpoints WHERE number = $1`, number); err != nil {
		return "", err
	}
	s.endpoints.mu.RLock()
	defer s.endpoints.mu.RUnlock()
	if id, known = s.endpoints.id[number]; !known {
		return "", fmt.Errorf("a delivery goes to endpoint number %d, which has no ID: the tables are damaged", number)
	}
	return id, nil
}
