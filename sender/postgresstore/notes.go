package postgresstore

import (
	"context"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
)

// How messages are told: not one by one but after a moment in which others may
// come, and as one that says that anything may have changed when there are many.
const (
	tellEvery   = 5 * time.Millisecond
	maxMessages = 100
)

// maxNote is how long a message may be: PostgreSQL takes 8000 bytes.
const maxNote = 4000

// The kinds of messages, as they are written.
const (
	kindAll       = 'a'
	kindBacklog   = 'b'
	kindDocument  = 'd'
	kindHold      = 'h'
	kindInstances = 'i'
	kindPing      = 'p' // an instance tells itself, to see whether it hears
	kindLost      = 'l' // never told to others
	kindOutbox    = 'o' // told by the function publish
)

// toldKinds are those that instances tell each other.
const toldKinds = "abdhipo"

// message is what an instance tells the others.
type message struct {
	kind             byte
	documentKind, id string
}

// note writes a message of an instance.
func (m message) note(instance int32) string {
	return strconv.Itoa(int(instance)) + " " + string(rune(m.kind)) + " " + m.documentKind + " " + m.id
}

// parseNote reads a note. It reports false when it is none.
func parseNote(note string) (instance int32, m message, ok bool) {
	parts := strings.SplitN(note, " ", 4)
	if len(parts) != 4 || len(parts[1]) != 1 || !strings.Contains(toldKinds, parts[1]) {
		return 0, m, false
	}
	n, err := strconv.ParseInt(parts[0], 10, 32)
	return int32(n), message{parts[1][0], parts[2], parts[3]}, err == nil
}

// change is the message as it is told to whoever watches.
func (m message) change() sender.Change {
	switch m.kind {
	case kindBacklog:
		return sender.Change{Kind: sender.ChangeBacklog, ID: m.id}
	case kindDocument:
		return sender.Change{Kind: sender.ChangeDocument, DocumentKind: m.documentKind, ID: m.id}
	case kindHold:
		return sender.Change{Kind: sender.ChangeHold, ID: m.id}
	case kindInstances:
		return sender.Change{Kind: sender.ChangeInstances}
	case kindLost:
		return sender.Change{Kind: sender.ChangeLost}
	}
	return sender.Change{Kind: sender.ChangeAll}
}

// notifier gathers messages to the other instances. They are sent after the
// changes that they tell of, in a transaction of their own: those that notify
// commit one after the other in the whole database.
type notifier struct {
	mu       sync.Mutex
	messages map[message]struct{}
	wake     chan struct{} // holds one token while there is something to do
}

func (n *notifier) init() {
	n.messages, n.wake = map[message]struct{}{}, make(chan struct{}, 1)
}

// tell has a message sent.
func (n *notifier) tell(m message) {
	if len(m.documentKind)+len(m.id) > maxNote || strings.Contains(m.documentKind, " ") {
		m = message{kind: kindAll}
	}
	n.mu.Lock()
	if len(n.messages) >= maxMessages {
		clear(n.messages)
		m = message{kind: kindAll}
	}
	n.messages[m] = struct{}{}
	n.mu.Unlock()
	token(n.wake)
}

// take takes all messages.
func (n *notifier) take() []message {
	n.mu.Lock()
	defer n.mu.Unlock()
	taken := make([]message, 0, len(n.messages))
	for m := range n.messages {
		taken = append(taken, m)
	}
	clear(n.messages)
	return taken
}

// tellBacklog tells that an endpoint has deliveries that nobody holds.
func (s *Store) tellBacklog(endpointID string) {
	s.notifier.tell(message{kind: kindBacklog, id: endpointID})
}

// notify sends messages until the store is closed.
func (s *Store) notify() {
	wait := tellEvery
	for {
		select {
		case <-s.notifier.wake:
		case <-s.background.Done():
			return
		}
		select {
		case <-time.After(wait):
		case <-s.background.Done():
			return
		}
		if wait = tellEvery; !s.flushNotes(s.background) {
			wait = time.Second + rand.N(time.Second)
		}
	}
}

// flushNotes sends what there is to be told. It reports whether it could;
// otherwise it is told later, as one message.
func (s *Store) flushNotes(ctx context.Context) bool {
	messages := s.notifier.take()
	if len(messages) == 0 {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	instance := s.keeper.number()
	notes, news := make([]string, len(messages)), false
	for i, m := range messages {
		notes[i] = m.note(instance)
		news = news || m.kind != kindPing
	}
	// Nothing is lost when it is not on the disk, and who looks and does not
	// listen sees the sequence.
	_, err := s.pool.Exec(ctx, s.in(`SELECT set_config('synchronous_commit', 'off', true), CASE WHEN $3 THEN nextval('{s}.changes') END,
		(SELECT count(pg_notify($1, note)) FROM unnest($2::text[]) AS u(note))`), s.channel(), notes, news)
	if err != nil && s.background.Err() == nil {
		s.notifier.tell(message{kind: kindAll})
	}
	return err == nil
}

// channel is the name of the channel of all instances.
func (s *Store) channel() string { return "caddy_webhooks_" + s.schema }
