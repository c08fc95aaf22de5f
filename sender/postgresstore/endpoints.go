package postgresstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// endpoints are the numbers of endpoints, as far as they have been needed. A
// number keeps its endpoint, unless the database is set back.
type endpoints struct {
	mu     sync.RWMutex
	number map[string]int32
	id     map[int32]string
}

func (e *endpoints) init() {
	e.mu.Lock()
	e.number, e.id = map[string]int32{}, map[int32]string{}
	e.mu.Unlock()
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
	var numbers []int32
	var missing []string
	for _, id := range ids {
		if number, known := s.endpoints.known(id); known {
			numbers = append(numbers, number)
		} else if isText(id) {
			missing = append(missing, id)
		}
	}
	if len(missing) > 0 {
		rows, err := conn.Query(ctx, s.in(`SELECT number, id FROM {s}.endpoints WHERE id = ANY($1::text[])`), missing)
		if err != nil {
			return nil, err
		}
		if err := each(rows, func(rows pgx.Rows) error {
			var number int32
			var id string
			err := rows.Scan(&number, &id)
			s.endpoints.add(number, id)
			numbers = append(numbers, number)
			return err
		}); err != nil {
			return nil, err
		}
	}
	slices.Sort(numbers)
	return slices.Compact(numbers), nil
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
	err := conn.QueryRow(ctx, s.in(`SELECT id FROM {s}.endpoints WHERE number = $1`), number).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", fmt.Errorf("a delivery goes to endpoint number %d, which has no ID: the tables are damaged", number)
	}
	if err != nil {
		return "", err
	}
	s.endpoints.add(number, id)
	return id, nil
}
