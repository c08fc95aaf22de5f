// Package storetest checks that a [sender.Store] obeys its contract. A store's
// own tests call [Run]; it fails where a sentence of the contract does not
// hold, each in a test of its name, and where the store differs from a simple
// model in a random sequence of calls.
package storetest

import (
	"testing"

	"github.com/manysends/caddy-webhooks/sender"
)

// Harness opens one store again and again.
type Harness struct {
	// Open opens the store: empty at first, later with what is in it. Run does
	// not open it again before it was closed or crashed.
	Open func() (sender.Store, error)

	// Crash ends an open store as the death of its process would: nothing is
	// written any more, and only what was durable is there at the next Open.
	// No call is under way. Run does not use the store afterwards.
	Crash func(sender.Store) error
}

// test is a sentence of the contract with what shows that it holds.
type test struct {
	name string
	run  func(*fixture)
}

// isPutSettler tells whether a store is a [sender.PutSettler].
func isPutSettler(t *testing.T, h Harness) bool {
	f := &fixture{t: t, harness: h}
	f.open()
	defer f.close()
	_, is := f.store.(sender.PutSettler)
	return is
}

// Run runs the suite. For each test open makes a harness with a store of its
// own and cleans up after it with t.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	tests := []test{
		{"PutEvents/an event is kept whole", testEventWhole},
		{"PutEvents/a delivery exists, is pending and is held", testPutHolds},
		{"PutEvents/an event may go nowhere", testNoEndpoints},
		{"PutEvents/an event goes to no other endpoints", testNoOtherEndpoints},
		{"PutEvents/later events have greater numbers", testSeqGrows},
		{"PutEvents/duplicates and conflicts", testDuplicates},
		{"PutEvents/a duplicate in the same batch", testDuplicateInBatch},
		{"PutEvents/nothing is stored for a duplicate", testDuplicateStoresNothing},
		{"PutEvents/the same ID of another tenant", testTenants},
		{"PutEvents/a publication is stored as a whole or not at all", testConflictWhole},
		{"PutEvents/publications do not affect each other", testConflictAlone},
		{"PutEvents/a duplicate of what was not stored is stored", testDuplicateOfConflict},
		{"PutEvents/nothing is kept on an error", testPutAtomic},
		{"Settle/an outcome is recorded", testSettleRecords},
		{"Settle/an attempt is kept whole", testAttemptWhole},
		{"Settle/the hold ends, unless kept", testSettleHold},
		{"Settle/a delivery is put back", testPutBack},
		{"Settle/a delivery that has been attempted is put back", testPutBackRetry},
		{"Settle/what is not pending is passed over", testSettleNotPending},
		{"Settle/what does not exist is passed over", testSettleUnknown},
		{"Settle/a second outcome of an attempt is passed over", testSettleTwice},
		{"Settle/nothing is kept on an error", testSettleAtomic},
		{"Claim/what is due, of its kind, in order", testClaimOrder},
		{"Claim/limits and the next one", testClaimLimits},
		{"Claim/a claim holds", testClaimHolds},
		{"Claim/the delivery is complete", testClaimWhole},
		{"Claim/put back before what was claimed", testClaimEarlier},
		{"Backlog/what waits and is not held", testBacklog},
		{"Unblock/blocked deliveries are pending again", testUnblock},
		{"Unblock/many", testUnblockMany},
		{"CancelAll/what is blocked, or pending and not held", testCancelAll},
		{"CancelAll/many", testCancelAllMany},
		{"Override/to pending, whatever it was", testOverridePending},
		{"Override/to cancelled, what has not ended", testOverrideCancelled},
		{"Override/what is held or does not exist is passed over", testOverridePassedOver},
		{"Override/other statuses are refused", testOverrideRefuses},
		{"Override/nothing is kept on an error", testOverrideAtomic},
		{"Override/the schedule begins anew", testOverrideSchedule},
		{"Override/claims begin before what was claimed", testOverrideEarlier},
		{"Override/purges", testOverridePurge},
		{"Missing/what is selected", testMissingSelects},
		{"Missing/with data and without", testMissingWhole},
		{"Missing/pages", testMissingPages},
		{"AddDeliveries/to further endpoints", testAddDeliveries},
		{"AddDeliveries/what is there or does not exist is passed over", testAddPassesOver},
		{"AddDeliveries/nothing is kept on an error", testAddAtomic},
		{"AddDeliveries/claims begin before what was claimed", testAddEarlier},
		{"AddDeliveries/purges", testAddPurge},
		{"AddDeliveries/beside other calls", testAddConcurrent},
		{"Pending/counts", testPending},
		{"Deliveries/order", testListOrder},
		{"Deliveries/what a summary says", testListSummary},
		{"Deliveries/what is selected", testListSelects},
		{"Deliveries/when the event was stored", testListTimes},
		{"Deliveries/pages", testListPages},
		{"Deliveries/pages while much happens", testListChanging},
		{"Deliveries/many", testListMany},
		{"Deliveries/a cursor that is none", testListCursor},
		{"Deliveries/while deliveries are settled", testListConcurrent},
		{"Delivery/with its event and attempts", testDelivery},
		{"Delivery/not found", testDeliveryNotFound},
		{"Counters/what is counted", testCounters},
		{"Counters/what is not", testNotCounted},
		{"Counters/what a query selects", testCounterQuery},
		{"Counters/purge", testPurgeCounters},
		{"Documents/kept, replaced and deleted", testDocuments},
		{"Documents/the version must be the one stored", testDocumentsStale},
		{"Documents/all or none", testDocumentsAtomic},
		{"Size/what is stored", testSize},
		{"Event/not found", testEventNotFound},
		{"Event/an ID that is no text", testNoText},
		{"Event/deliveries in order", testEventOrder},
		{"Purge/what may go", testPurge},
		{"Purge/limit, oldest first", testPurgeLimit},
		{"Purge/what had to stay and may go now", testPurgeLater},
		{"Purge/of one tenant", testPurgeTenant},
		{"Purge/an ID is free again, a number is not", testPurgeNumbers},
		{"Purge/beside overrides", testPurgeConcurrent},
		{"Life/everything survives closing", testReopen},
		{"Life/everything survives a crash", testCrash},
		{"Life/holds end with the process", testHoldsEnd},
		{"Life/an unknown endpoint's delivery stays", testUnknownEndpoint},
		{"Life/closing twice, and using it afterwards", testClosed},
		{"Life/the context has ended", testContext},
		{"Life/concurrent use", testConcurrent},
		{"Life/closing beside calls under way", testCloseConcurrent},
	}
	if isPutSettler(t, open(t)) {
		tests = append(tests,
			test{"PutAndSettle/all of it is kept", testPutAndSettle},
			test{"PutAndSettle/nothing is kept on an error", testPutAndSettleAtomic},
			test{"PutAndSettle/closing beside it", testPutAndSettleClosing},
		)
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := &fixture{t: t, harness: open(t)}
			f.open()
			defer f.close()
			test.run(f)
		})
	}
	t.Run("Model", func(t *testing.T) { testModel(t, open) })
}
