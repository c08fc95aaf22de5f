package stored

import (
	"fmt"

	"github.com/manysends/caddy-webhooks/sender"
)

// CheckOutcome says what is wrong with an outcome, whatever the delivery.
func CheckOutcome(o *sender.Outcome) error {
	if o.Status < sender.Pending || o.Status > sender.Cancelled {
		return fmt.Errorf("the outcome for event number %d has the unknown %s", o.Seq, o.Status)
	}
	if o.Attempt != nil && o.Attempt.Number < 1 {
		return fmt.Errorf("the outcome for event number %d has attempt number %d: they count from 1", o.Seq, o.Attempt.Number)
	}
	return nil
}
