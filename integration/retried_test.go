package integration

import (
	"fmt"
	"strings"
	"testing"
)

// TestApplicationFailureIsRetried sends an event through a real receiver to an
// application that fails at first: the retry must reach it, and once it has
// answered 2xx no further copy does.
func TestApplicationFailureIsRetried(t *testing.T) {
	application := newSink(t, "")
	application.answer = func(n int) int {
		if n <= 2 {
			return 500
		}
		return 204
	}
	c := newCaddy(t)
	site := freeAddress(t)
	c.start(fmt.Sprintf("{\n\tadmin %s\n}\n\nhttp://%s {\n\twebhook_receive standard {\n\t\tsecret %s\n\t}\n\treverse_proxy %s\n}\n",
		c.admin, site, testSecret, strings.TrimPrefix(application.URL, "http://")))
	send := signedSender(t, site)
	for i, want := range []int{500, 500, 204, 200, 200} {
		status, duplicate := send("evt_failing")
		if status != want || duplicate != (i > 2) {
			t.Errorf("delivery %d: status %d, duplicate %t; want %d", i+1, status, duplicate, want)
		}
	}
	if n := len(application.deliveries()); n != 3 {
		t.Errorf("the application was called %d times, want 3", n)
	}
}
