package postgresstore

import (
	"context"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5/pgxpool"
)

// About how many bytes a row and its entries in indexes take up beside what is
// in it.
const (
	eventOverhead    = 400
	deliveryOverhead = 150
)

// partitionBits is how many bits of an event's number count the events of one
// partition.
const partitionBits = 36

// grow notes that more bytes are stored with an event. The caller holds s.mu.
func (s *Store) grow(seq, bytes int64) {
	s.volume[int32(seq>>partitionBits)] += bytes
}

// tellVolume adds to the table how much this instance has stored.
func (s *Store) tellVolume(ctx context.Context, instance int32) error {
	s.mu.Lock()
	grown := s.volume
	s.volume = map[int32]int64{}
	s.mu.Unlock()
	if len(grown) == 0 {
		return nil
	}
	partitions := slices.Sorted(maps.Keys(grown))
	bytes := make([]int64, len(partitions))
	for i, partition := range partitions {
		bytes[i] = grown[partition]
	}
	_, err := s.pool.Exec(ctx, s.in(`INSERT INTO {s}.volume (partition, instance, bytes)
		SELECT partition, $1, bytes FROM unnest($2::integer[], $3::bigint[]) AS u(partition, bytes)
		ON CONFLICT (partition, instance) DO UPDATE SET bytes = volume.bytes + excluded.bytes`), instance, partitions, bytes)
	if err != nil {
		s.mu.Lock()
		for partition, bytes := range grown {
			s.volume[partition] += bytes
		}
		s.mu.Unlock()
	}
	return err
}

// Size implements [sender.Store]. It is an estimate that is kept: the rows, with
// what they take up in indexes, and not what PostgreSQL leaves free in its files.
// What other instances have stored since they renewed their leases last is
// missing.
func (s *Store) Size(ctx context.Context) (size int64, err error) {
	err = s.read(ctx, "reading its size", func(ctx context.Context, conn *pgxpool.Conn) error {
		return conn.QueryRow(ctx, s.in(`SELECT coalesce(sum(bytes), 0)::bigint FROM {s}.volume`)).Scan(&size)
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, bytes := range s.volume {
		size += bytes
	}
	return max(size, 0), err
}
