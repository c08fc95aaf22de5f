package command

import (
	"errors"
	"io"
	"strings"
	"testing"
)

func TestRetry(t *testing.T) {
	again := func(id string) reply { return reply{status: 202, body: `{"id":"` + id + `","status":"pending"}`} }
	underWay := reply{status: 409, body: `{"detail":"the delivery is being attempted, or about to be: wait for the outcome"}`}
	setUp := func(stdin string) *rig {
		r := newRig(t)
		r.answer("POST deliveries/dlv_1_crm/retry", again("dlv_1_crm"))
		r.answer("POST deliveries/dlv_2_crm/retry", underWay)
		r.answer("POST deliveries/dlv_3_a%2Fb/retry", again("dlv_3_a/b"))
		r.stdin = strings.NewReader(stdin)
		return r
	}

	r := setUp("")
	r.wants(r.run("retry", "dlv_1_crm", "dlv_3_a/b"), result{Out: "dlv_1_crm is delivered again: pending\ndlv_3_a/b is delivered again: pending\n"})
	r.wants(r.run("retry", "dlv_3_a/b", "--json"), result{Out: `{"id":"dlv_3_a/b","status":"pending"}` + "\n"})

	// One that cannot be retried does not stop the others.
	r = setUp("")
	r.wants(r.run("retry", "dlv_2_crm", "dlv_1_crm"), result{
		Out: "dlv_1_crm is delivered again: pending\n",
		Notes: "dlv_2_crm: the delivery is being attempted, or about to be: wait for the outcome\n" +
			"Error: 1 delivery cannot be retried, 1 can: the reasons stand above\n",
		Code: 1,
	})
	r.wasAsked("POST deliveries/dlv_2_crm/retry", "POST deliveries/dlv_1_crm/retry")

	for _, flag := range []string{"-", "--stdin"} {
		r = setUp("\ndlv_1_crm  failed yesterday\r\n  {\"event\":\"x\",\"id\":\"dlv_3_a/b\"}")
		r.wants(r.run("retry", flag), result{
			Out:   "dlv_1_crm is delivered again: pending\ndlv_3_a/b is delivered again: pending\n",
			Notes: "2 events are delivered again.\n",
		})
	}
	r = setUp("")
	r.wants(r.run("retry", "-"), result{Notes: "0 events are delivered again.\n"})
	r = setUp("dlv_1_crm\n{\"deliveries\":[]}\n")
	r.wants(r.run("retry", "-"), result{
		Out:   "dlv_1_crm is delivered again: pending\n",
		Notes: "Error: line 2 of stdin is JSON, but no delivery with an \"id\": give one delivery in each line\n",
		Code:  1,
	})
	r = setUp(strings.Repeat("x", 1<<20) + "\n")
	r.wants(r.run("retry", "-"), result{Notes: "Error: line 1 of stdin does not begin with the ID of a delivery: give one in each line\n", Code: 1})
	r.wasAsked()
	r = setUp("")
	r.stdin = io.MultiReader(strings.NewReader("dlv_1_crm\n"), brokenReader{})
	if got := r.run("retry", "-"); got.Code != 1 || got.Notes != "Error: stdin cannot be read: it is broken\n" {
		t.Errorf("printed %+v", got)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("it is broken") }
