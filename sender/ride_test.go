package sender

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// call is one call of a store: how many publications and outcomes it had.
type call struct {
	method                 string
	publications, outcomes int
}

// jointStore notes the calls of it. Each takes a millisecond.
type jointStore struct {
	Store

	calls chan call
	fails map[string]error // by the method
}

func newJointStore() *jointStore {
	return &jointStore{calls: make(chan call, 1000), fails: map[string]error{}}
}

func (s *jointStore) called(method string, publications, outcomes int) error {
	time.Sleep(time.Millisecond)
	s.calls <- call{method, publications, outcomes}
	return s.fails[method]
}

func (s *jointStore) PutEvents(_ context.Context, publications []*Publication) error {
	return s.called("PutEvents", len(publications), 0)
}

func (s *jointStore) Settle(_ context.Context, outcomes []Outcome) error {
	return s.called("Settle", 0, len(outcomes))
}

func (s *jointStore) PutAndSettle(_ context.Context, publications []*Publication, outcomes []Outcome) error {
	return s.called("PutAndSettle", len(publications), len(outcomes))
}

// want compares the calls since the last want.
func (s *jointStore) want(t *testing.T, want ...call) {
	t.Helper()
	synctest.Wait()
	var got []call
	for len(s.calls) > 0 {
		got = append(got, <-s.calls)
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(call{})); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// TestOutcomesRide: publications take along the outcomes that have come, if they
// come in the second half of the time for which these gather; what comes first
// of the two is not waited for any longer.
func TestOutcomesRide(t *testing.T) {
	const ms = time.Millisecond
	one := []*Publication{{}}
	add := func(s *Sender, n int) {
		for range n {
			s.settling.add(Outcome{Status: Succeeded})
		}
	}
	tests := []struct {
		name string
		feed func(*testing.T, *Sender, *jointStore) error
	}{
		{"nothing is published", func(t *testing.T, s *Sender, store *jointStore) error {
			add(s, 3)
			time.Sleep(settleEvery)
			store.want(t)
			time.Sleep(ms)
			store.want(t, call{"Settle", 0, 3})
			return nil
		}},
		{"too early", func(t *testing.T, s *Sender, store *jointStore) error {
			add(s, 3)
			time.Sleep(settleEvery/2 - ms/2)
			err := s.put(one)
			store.want(t, call{"PutEvents", 1, 0})
			return err
		}},
		{"in time", func(t *testing.T, s *Sender, store *jointStore) error {
			add(s, 3)
			time.Sleep(settleEvery/2 + ms/2)
			add(s, 2)
			err := s.put(one)
			store.want(t, call{"PutAndSettle", 1, 5})
			time.Sleep(time.Second)
			store.want(t)
			return err
		}},
		{"too late", func(t *testing.T, s *Sender, store *jointStore) error {
			add(s, 3)
			time.Sleep(settleEvery + ms/2)
			err := s.put(one)
			store.want(t, call{"Settle", 0, 3}, call{"PutEvents", 1, 0})
			return err
		}},
		{"no outcome is left", func(t *testing.T, s *Sender, store *jointStore) error {
			token(s.settling.wake)
			time.Sleep(settleEvery/2 + ms/2)
			err := s.put(one)
			store.want(t, call{"PutEvents", 1, 0})
			return err
		}},
		{"outcomes cannot wait", func(t *testing.T, s *Sender, store *jointStore) error {
			add(s, 3)
			time.Sleep(settleEvery/2 + ms/2)
			err := s.settling.flush(t.Context())
			store.want(t, call{"Settle", 0, 3})
			return err
		}},
		{"one after the other", func(t *testing.T, s *Sender, store *jointStore) error {
			for range 100 {
				add(s, 1)
				time.Sleep(ms)
				if err := s.put(one); err != nil {
					return err
				}
			}
			err := s.settling.flush(t.Context())
			put, settled := 0, 0
			for len(store.calls) > 0 {
				c := <-store.calls
				put, settled = put+c.publications, settled+c.outcomes
				if c.method == "Settle" && len(store.calls) > 0 {
					t.Errorf("%d outcomes were settled by themselves", c.outcomes)
				}
			}
			if put != 100 || settled != 100 {
				t.Errorf("%d publications and %d outcomes are stored, want 100 of each", put, settled)
			}
			return err
		}},
		{"the sender closes", func(t *testing.T, s *Sender, store *jointStore) error {
			add(s, 3)
			time.Sleep(settleEvery/2 + ms/2)
			return nil
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newJointStore()
				settleWith(t, store, func(s *Sender) {
					if err := test.feed(t, s, store); err != nil {
						t.Error(err)
					}
				})
			})
		})
	}
}

// TestRideFails: when both cannot be stored together, each is tried by itself,
// and one's error is not the other's.
func TestRideFails(t *testing.T) {
	for _, failing := range []string{"", "PutEvents", "Settle"} {
		t.Run(failing, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, broken := newJointStore(), errors.New("the disk is on fire")
				store.fails["PutAndSettle"] = broken
				if failing != "" {
					store.fails[failing] = broken
				}
				settleWith(t, store, func(s *Sender) {
					s.settling.add(Outcome{Status: Succeeded})
					time.Sleep(settleEvery - time.Millisecond)
					if err := s.put([]*Publication{{}}); (err != nil) != (failing == "PutEvents") {
						t.Errorf("put = %v", err)
					}
					time.Sleep(time.Millisecond)
					got := map[call]int{}
					synctest.Wait()
					for len(store.calls) > 0 {
						got[<-store.calls]++
					}
					want := map[call]int{{"PutAndSettle", 1, 1}: 1, {"PutEvents", 1, 0}: 1, {"Settle", 0, 1}: 1}
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("calls (-want +got):\n%s", diff)
					}
				})
			})
		})
	}
}
