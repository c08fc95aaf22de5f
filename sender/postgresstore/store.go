package postgresstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/manysends/caddy-webhooks/sender"
)

// callTimeout is how long the server may take to carry out a change. A change is
// not broken off when its context ends: then nobody would know whether it was
// made.
const callTimeout = 30 * time.Second

// Store is a [sender.SharedStore] in PostgreSQL: one instance. Make it with
// [Open].
type Store struct {
	schema string
	lease  time.Duration
	logger *slog.Logger

	pool       *pgxpool.Pool
	listen     *pgx.ConnConfig
	statements sync.Map // with the name of the schema in them, by what they are without

	endpoints endpoints
	keeper    keeper
	notifier  notifier
	watch     watch

	putting  sync.Mutex // held by PutEvents; taken before settling
	settling sync.Mutex // held by Settle; taken before mu

	mu     sync.Mutex // guards what follows
	holds  holds
	volume map[int32]int64 // bytes that were stored, by partition, and are not told yet

	open      sync.RWMutex // held for reading by calls, for writing by Close
	closed    bool
	closeOnce sync.Once
	closeErr  error

	background context.Context // ends with Close
	stop       context.CancelFunc
	workers    sync.WaitGroup
}

var _ sender.SharedStore = (*Store)(nil)

// Open connects to the database, makes or migrates the schema, joins the
// instances that share it, and takes over what others have left that are no
// more. It returns when all of that is done.
//
// Errors name the option and the remedy, and never hold a password. Open refuses
// a server that is too old or read-only, and a schema that a newer version has
// made.
func Open(ctx context.Context, o Options) (_ *Store, err error) {
	set, err := o.resolve()
	if err != nil {
		return nil, fmt.Errorf("store postgres: %w", err)
	}
	s := &Store{
		schema: o.Schema, lease: o.Lease, logger: o.Logger, listen: set.listen,
		holds: newHolds(), volume: map[int32]int64{},
	}
	s.background, s.stop = context.WithCancel(context.Background())
	s.endpoints.init()
	s.keeper.init()
	s.notifier.init()
	s.watch.init()
	began := time.Now()
	defer func() {
		if err != nil {
			s.disconnect()
		}
	}()
	pooled, err := s.prepare(ctx, set.pool)
	if err != nil {
		return nil, s.failed("opening it", err)
	}
	if s.pool, err = pgxpool.NewWithConfig(s.background, set.pool); err != nil {
		return nil, s.failed("opening it", err)
	}
	if err := s.join(ctx); err != nil {
		return nil, s.failed("joining its instances", err)
	}
	if err := s.unfinished(ctx); err != nil {
		return nil, s.failed("opening it", errors.Join(err, s.leave(ctx)))
	}
	written, err := s.takeOverAll(ctx)
	if err != nil {
		return nil, s.failed("taking over what others have left", err)
	}
	s.workers.Go(s.keep)
	s.workers.Go(s.takeOverLoop)
	s.workers.Go(s.notify)
	c := set.pool.ConnConfig
	o.Logger.Info("store opened", "host", c.Host, "port", c.Port, "database", c.Database, "schema", s.schema, "pooler", pooled,
		"instance", s.keeper.number(), "deliveries_taken_over", written, "duration", time.Since(began))
	return s, nil
}

// prepare makes the schema ready, and the pool's configuration fit for what is
// between here and the server.
func (s *Store) prepare(ctx context.Context, pool *pgxpool.Config) (pooled bool, err error) {
	first := pool.ConnConfig.Copy()
	first.DefaultQueryExecMode = pgx.QueryExecModeDescribeExec
	conn, err := pgx.ConnectConfig(ctx, first)
	if err != nil {
		return false, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	pooled, synced, err := inspect(ctx, conn)
	if err != nil {
		return pooled, err
	}
	if !synced {
		s.logger.Warn("the PostgreSQL server has fsync off: after a loss of power, events may be gone that were taken in")
	}
	// What is prepared on one connection of a pooler is not there on the next.
	// Statements are described once and sent whole each time.
	if pooled && pool.ConnConfig.DefaultQueryExecMode == pgx.QueryExecModeCacheStatement {
		pool.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	if !pooled { // which would not pass it on
		// Otherwise it is that of the role or the database. Each statement is to see
		// what was committed before it: that is what it may have waited for.
		pool.ConnConfig.RuntimeParams["default_transaction_isolation"] = readCommitted
		// What a connection has locked is free soon after the machine at the other
		// end is gone.
		for name, value := range map[string]string{"tcp_keepalives_idle": "15", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3"} {
			if _, set := pool.ConnConfig.RuntimeParams[name]; !set {
				pool.ConnConfig.RuntimeParams[name] = value
			}
		}
	}
	return pooled, migrate(ctx, conn, s.schema)
}

// Close implements [sender.Store]. What this instance holds is free at once for
// the others.
func (s *Store) Close() error {
	s.closeOnce.Do(func() {
		s.stop()
		s.open.Lock()
		s.closed = true
		s.open.Unlock()
		s.workers.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
		defer cancel()
		s.closeErr = s.failed("leaving its instances", s.leave(ctx))
		s.disconnect()
	})
	return s.closeErr
}

// disconnect ends all connections.
func (s *Store) disconnect() {
	s.stop()
	if s.pool != nil {
		s.pool.Close()
	}
}

// begin begins a call, which ends with end. Errors wrap [sender.ErrStoreClosed]
// or the context's error.
func (s *Store) begin(ctx context.Context) error {
	s.open.RLock()
	err := ctx.Err()
	if s.closed {
		err = sender.ErrStoreClosed
	}
	if err != nil {
		s.open.RUnlock()
	}
	return err
}

func (s *Store) end() { s.open.RUnlock() }

// read runs do with a connection. What it does is named by doing, for errors.
func (s *Store) read(ctx context.Context, doing string, do func(context.Context, *pgxpool.Conn) error) error {
	if err := s.begin(ctx); err != nil {
		return s.failed(doing, err)
	}
	defer s.end()
	for try := 0; ; try++ {
		conn, err := s.pool.Acquire(ctx)
		if err != nil {
			return s.failed(doing, err)
		}
		err = do(ctx, conn)
		lost := disconnected(err) && conn.Conn().IsClosed()
		conn.Release()
		if !lost || try > 0 || ctx.Err() != nil {
			return s.failed(doing, err)
		}
		s.pool.Reset() // the server was restarted: the others are lost, too
	}
}

// write runs do, which changes what is stored, with a connection and for an
// instance whose lease holds as far as is known. The lock, if there is one, is
// held meanwhile. If it is not certain that nothing was done when do fails, the
// instance joins anew: only then it is known again what it holds.
func (s *Store) write(ctx context.Context, doing string, lock sync.Locker, do func(context.Context, *pgxpool.Conn, int32) error) error {
	if err := s.begin(ctx); err != nil {
		return s.failed(doing, err)
	}
	defer s.end()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	instance, err := s.instance(ctx)
	if err != nil {
		return s.failed(doing, err)
	}
	if lock != nil { // before a connection is taken: who has it needs one, too
		lock.Lock()
		defer lock.Unlock()
	}
	if s.keeper.number() != instance {
		return s.failed(doing, errRejoining)
	}
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return s.failed(doing, err)
	}
	defer conn.Release()
	err = do(ctx, conn, instance)
	if disconnected(err) && conn.Conn().IsClosed() || stateOf(err) == stateReadOnly {
		s.pool.Reset()
	}
	if err != nil && (stateOf(err) == stateLost || !certain(err)) {
		s.keeper.lose(instance)
	}
	return s.failed(doing, err)
}

// in is a statement with the name of the schema in it.
func (s *Store) in(statement string) string {
	if text, known := s.statements.Load(statement); known {
		return text.(string)
	}
	text := inSchema(statement, s.schema)
	s.statements.Store(statement, text)
	return text
}
