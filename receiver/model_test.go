package receiver

import (
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// seenModel is the seen-set in a few obvious lines, with what is in its file.
type seenModel struct {
	now      time.Duration
	held     map[int]bool
	commits  []modelCommit // oldest first
	written  []modelCommit // in the file
	capacity int
	events   int
}

type modelCommit struct {
	key         int
	at, expires time.Duration
	event       int // the same for both keys of one
}

func (m *seenModel) committed(k int) bool {
	return slices.ContainsFunc(m.commits, func(c modelCommit) bool { return c.key == k })
}

func (m *seenModel) try(keys []int) outcome {
	if slices.ContainsFunc(keys, m.committed) {
		return duplicate
	}
	if slices.ContainsFunc(keys, func(k int) bool { return m.held[k] }) {
		return busy
	}
	for _, k := range keys {
		m.held[k] = true
	}
	return claimed
}

func (m *seenModel) end(keys []int, ttl time.Duration) {
	m.events++
	for _, k := range keys {
		delete(m.held, k)
		if ttl > 0 {
			m.commits = append(m.commits, modelCommit{k, m.now, m.now + ttl, m.events})
		}
	}
}

func (m *seenModel) settle() {
	m.expire()
	if over := len(m.commits) - m.capacity; over > 0 {
		m.commits = m.commits[over:]
	}
}

func (m *seenModel) expire() {
	m.commits = slices.DeleteFunc(m.commits, func(c modelCommit) bool { return c.expires <= m.now })
}

func (m *seenModel) forget(k int) bool {
	i := slices.IndexFunc(m.commits, func(c modelCommit) bool { return c.key == k })
	if i < 0 {
		return false
	}
	event := m.commits[i].event
	m.commits = slices.DeleteFunc(m.commits, func(c modelCommit) bool { return c.event == event })
	return true
}

// write notes what the file holds now.
func (m *seenModel) write() { m.written = slices.Clone(m.commits) }

// seenUnderTest is a seen-set with a file, both moved by hand.
type seenUnderTest struct {
	*seenSet
	path string
	tick *clock
}

func (u *seenUnderTest) open(t *rapid.T) {
	u.seenSet = newSeenSet(u.tick.Now)
	u.settler.start.Do(func() { close(u.settler.done) })
	j, records, err := openJournal(u.path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	u.restore(records, u.tick.Now().UnixNano())
	j.lost = true // so that it is written anew
	u.history.journal = j
	j.flush(&u.history)
}

func (u *seenUnderTest) close() {
	j := u.history.journal
	if j.file != nil {
		_ = j.file.Close()
	}
	_ = j.lock.Close()
	u.settler.closeCache()
}

// TestSeenSetAgainstModel runs claims of one and two keys, commits with
// several TTLs, releases, the passing of time, settling, forgetting on request
// and over capacity, restarts and crashes in any order, and compares each
// outcome and all counts with the model: no event is accepted twice, and none
// that was not processed is refused for good.
func TestSeenSetAgainstModel(t *testing.T) {
	folder := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		u := &seenUnderTest{path: filepath.Join(folder, "seen"), tick: newClock()}
		_ = os.Remove(u.path)
		u.open(t)
		defer func() { u.close() }()
		m := &seenModel{held: make(map[int]bool), capacity: 1 << 30}
		type open struct {
			claim   *claim
			keys    []int
			waiting []<-chan struct{}
		}
		var inFlight []*open
		anyKey := rapid.IntRange(0, 12)
		unlimited := true // nothing has been forgotten for want of room

		take := func(t *rapid.T) *open {
			i := rapid.IntRange(0, len(inFlight)-1).Draw(t, "which claim")
			o := inFlight[i]
			inFlight = slices.Delete(inFlight, i, i+1)
			return o
		}
		woken := func(t *rapid.T, o *open) {
			for _, over := range o.waiting {
				select {
				case <-over:
				default:
					t.Fatalf("the claim of %v has ended, and somebody still waits for it", o.keys)
				}
			}
		}
		restart := func(t *rapid.T) {
			u.close()
			inFlight, m.held = nil, make(map[int]bool)
			u.open(t)
			// The capacity is not known before the next commit, and what is
			// expired is not read.
			m.capacity = 1 << 30
			m.expire()
			m.write()
			unlimited = true
		}
		t.Repeat(map[string]func(*rapid.T){
			"claim": func(t *rapid.T) {
				keys := []int{anyKey.Draw(t, "key")}
				if other := anyKey.Draw(t, "other key"); other != keys[0] && rapid.Bool().Draw(t, "two keys") {
					keys = append(keys, other)
				}
				c := new(claim)
				for _, k := range keys {
					c.add(numberedKey(uint64(k)))
				}
				got, over := u.try(c)
				if want := m.try(keys); got != want {
					t.Fatalf("claim of %v: outcome %d, the model says %d", keys, got, want)
				}
				switch got {
				case claimed:
					inFlight = append(inFlight, &open{claim: c, keys: keys})
				case busy:
					for _, o := range inFlight {
						if o.claim.over == over {
							o.waiting = append(o.waiting, over)
						}
					}
				}
				if (got == busy) != (over != nil) {
					t.Fatalf("claim of %v: outcome %d with something to wait for: %t", keys, got, over != nil)
				}
			},
			"commit": func(t *rapid.T) {
				if len(inFlight) == 0 {
					return
				}
				o := take(t)
				ttl := rapid.SampledFrom([]time.Duration{time.Minute, time.Hour, 5 * time.Hour}).Draw(t, "ttl")
				m.capacity = rapid.SampledFrom([]int{1 << 30, 1 << 30, 5}).Draw(t, "capacity")
				m.end(o.keys, ttl)
				u.commit(o.claim, ttl, m.capacity)
				woken(t, o)
				// Which of two commits at the same instant is older would be a
				// matter of taste.
				m.now += 4
				u.tick.advance(4)
			},
			"release": func(t *rapid.T) {
				if len(inFlight) == 0 {
					return
				}
				o := take(t)
				m.end(o.keys, 0)
				u.release(o.claim)
				woken(t, o)
				// What has been released can be taken.
				if again := slices.ContainsFunc(o.keys, m.committed); !again {
					c := new(claim)
					for _, k := range o.keys {
						c.add(numberedKey(uint64(k)))
					}
					if got, _ := u.try(c); got != claimed {
						t.Fatalf("outcome %d for %v, which was released", got, o.keys)
					}
					u.release(c)
				}
			},
			"forget": func(t *rapid.T) {
				k := anyKey.Draw(t, "key")
				if got, want := u.forgetEvent(numberedKey(uint64(k))), m.forget(k); got != want {
					t.Fatalf("forgetting %d: %t, the model says %t", k, got, want)
				}
			},
			"wait": func(t *rapid.T) {
				d := rapid.SampledFrom([]time.Duration{time.Second, time.Minute, time.Hour}).Draw(t, "time")
				m.now += d
				u.tick.advance(d)
			},
			"settle": func(*rapid.T) {
				before := len(m.commits)
				m.expire()
				expired := len(m.commits)
				m.settle()
				unlimited = unlimited && (before == len(m.commits) || expired == len(m.commits))
				u.settle()
			},
			"write": func(*rapid.T) {
				u.history.journal.flush(&u.history)
				m.write()
			},
			"restart": func(t *rapid.T) {
				// What was forgotten for want of room may be back, unless the
				// file is written anew.
				u.history.journal.lost = true
				u.history.journal.flush(&u.history)
				restart(t)
			},
			"crash": func(t *rapid.T) {
				if !unlimited {
					return
				}
				m.commits = slices.Clone(m.written)
				restart(t)
			},
			"": func(t *rapid.T) {
				if got, want := int(u.claimed.Load()), len(m.held); got != want {
					t.Fatalf("%d keys claimed, the model has %d", got, want)
				}
				if got, want := int(u.exact.Load()+u.settled.Load()), len(m.commits); got != want {
					t.Fatalf("%d keys remembered, the model has %d", got, want)
				}
			},
		})
	})
}

// What is forgotten on request must not come back when its place in the
// history expires, nor take a newer commit of the same key with it.
func TestForgottenThenCommittedAgain(t *testing.T) {
	for _, settled := range []bool{false, true} {
		tick := newClock()
		s := handSettled(t, tick.Now)
		settle := func() {
			if settled {
				s.settle()
			}
		}
		a, b := numberedKey(1), numberedKey(2)
		s.commit(mustTry(t, s, claimed, a, b), time.Minute, 10)
		settle()
		if s.forgetEvent(numberedKey(3)) || !s.forgetEvent(a) || s.forgetEvent(a) || s.forgetEvent(b) {
			t.Errorf("settled %t: forgot what was not there, or not what was", settled)
		}
		tick.advance(30 * time.Second)
		c := mustTry(t, s, claimed, a, b)
		if s.forgetEvent(a) {
			t.Errorf("settled %t: forgot a claim in flight", settled)
		}
		s.commit(c, time.Minute, 10)
		settle()
		tick.advance(40 * time.Second)
		s.settle()
		mustTry(t, s, duplicate, a)
		mustTry(t, s, duplicate, b)
		tick.advance(time.Minute)
		s.settle()
		if got := s.exact.Load() + s.settled.Load(); got != 0 || s.history.count != 0 || s.history.dead != 0 {
			t.Errorf("settled %t: %d keys, %d entries and %d dead ones are left", settled, got, s.history.count, s.history.dead)
		}
	}
}

func TestForget(t *testing.T) {
	b := newBench(t, testConfig("standard"))
	if forgets(t, b.Receiver, eventID(1)) || forgets(t, b.Receiver, "") {
		t.Error("forgot what was never there")
	}
	b.mustAccept(t, b.signed(t, 1))
	b.mustAccept(t, b.signed(t, 2))
	if !forgets(t, b.Receiver, eventID(1)) {
		t.Error("did not forget")
	}
	b.mustAccept(t, b.signed(t, 1))
	if w, _ := b.send(b.signed(t, 2)); w.Header().Get(HeaderDuplicate) != "true" {
		t.Error("forgot another event")
	}
	b.state.Close()
	if forgets(t, b.Receiver, eventID(2)) {
		t.Error("forgot after the end")
	}
}

// Where the ID is not signed, its content is forgotten with it: otherwise a
// redelivery on request would still be a duplicate.
func TestForgetUnsignedID(t *testing.T) {
	b := newBench(t, testConfig("standard"))
	row := *b.provider
	row.claims = []claimOf{claimID, claimContent}
	b.provider = &row
	b.mustAccept(t, b.signed(t, 1))
	if w, _ := b.send(b.signed(t, 1)); w.Header().Get(HeaderDuplicate) != "true" {
		t.Fatal("accepted twice")
	}
	if !forgets(t, b.Receiver, eventID(1)) {
		t.Error("did not forget")
	}
	b.mustAccept(t, b.signed(t, 1))
}

// TestForgetByName: where only the content is claimed, an event is found by the
// ID that it came with, and by no other; the ID alone still decides nothing.
func TestForgetByName(t *testing.T) {
	b := newBench(t, Config{Provider: "github", Secrets: []string{plainSecret}})
	request := func(id, body string) *http.Request {
		return customRequest(body, "X-Hub-Signature-256", "sha256="+hexSHA256(plainSecret, body), "X-GitHub-Delivery", id)
	}
	for _, c := range []struct {
		id, body string
		want     verdict
	}{{"1", "one", accepted}, {"9", "one", again}, {"1", "two", accepted}, {"2", "three", accepted}} {
		if got := b.verdictOn(request(c.id, c.body)); got != c.want {
			t.Fatalf("%s %s: %s, want %s", c.id, c.body, got, c.want)
		}
	}
	if forgets(t, b.Receiver, "9") {
		t.Error("forgot by the ID of a duplicate")
	}
	if !forgets(t, b.Receiver, "2") || forgets(t, b.Receiver, "2") {
		t.Error("did not forget once")
	}
	if got := b.verdictOn(request("2", "three")); got != accepted {
		t.Errorf("what was forgotten: %s", got)
	}
	if got := b.verdictOn(request("1", "one")); got != again {
		t.Errorf("what was not forgotten: %s", got)
	}
}

// TestNamesAreBounded: the oldest go when there are many.
func TestNamesAreBounded(t *testing.T) {
	var n names
	numbered := func(i int) key { return key{byte(i), byte(i >> 8), byte(i >> 16)} }
	for i := range maxNames + 10 {
		n.add(numbered(i), numbered(i+1))
		n.add(numbered(i), numbered(i+1))
	}
	if len(n.of) != maxNames || len(n.order) != maxNames {
		t.Errorf("%d names in a ring of %d", len(n.of), len(n.order))
	}
	for i, want := range map[int]bool{0: false, 9: false, 10: true, maxNames + 9: true} {
		if content, known := n.get(numbered(i)); known != want || known && content != numbered(i+1) {
			t.Errorf("%d: known %t, want %t", i, known, want)
		}
	}
}

// forgets has a receiver that shares nothing forget an event.
func forgets(t *testing.T, rc *Receiver, id string) bool {
	t.Helper()
	known, err := rc.Forget(id)
	if err != nil {
		t.Fatal(err)
	}
	return known
}
