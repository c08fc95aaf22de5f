package integration

import (
	"fmt"
	"testing"
	"time"
)

// TestRejectedConfigurationChangesNothing loads a configuration that sends the
// same endpoint elsewhere and is rejected because another app cannot start.
// Our app may have started by then; deliveries must go where they went before.
func TestRejectedConfigurationChangesNothing(t *testing.T) {
	right, wrong := newSink(t, ""), newSink(t, "")
	c := newCaddy(t)
	site := freeAddress(t)
	caddyfile := func(url string) string {
		return senderCaddyfile(c.admin, site, fmt.Sprintf("endpoint crm %s {\n\t\t\tsecret %s\n\t\t}", url, testSecret))
	}
	c.start(caddyfile(right.URL))
	for i := range 5 { // the order in which apps start is random
		if _, err := c.reload(caddyfile(wrong.URL) + "\nhttp://192.0.2.1:9 {\n\tbind 192.0.2.1\n\trespond ok\n}\n"); err == nil {
			t.Fatal("a configuration that cannot start was accepted")
		}
		publish(t, site, exampleEvent)
		waitFor(t, "the delivery", func() bool { return len(right.deliveries())+len(wrong.deliveries()) > i })
	}
	if n := len(wrong.deliveries()); n > 0 {
		t.Errorf("%d deliveries went where only the rejected configuration sends them", n)
	}
}

// TestStopFinishesWhatIsUnderWay stops Caddy while a customer is slow to answer:
// the delivery is finished and recorded, so that it is not repeated.
func TestStopFinishesWhatIsUnderWay(t *testing.T) {
	customer := newSink(t, "")
	customer.answer = func(int) int {
		time.Sleep(time.Second)
		return 200
	}
	c := newCaddy(t)
	site := freeAddress(t)
	caddyfile := senderCaddyfile(c.admin, site, fmt.Sprintf("endpoint crm %s {\n\t\t\tsecret %s\n\t\t}", customer.URL, testSecret))
	c.start(caddyfile)
	first := publish(t, site, exampleEvent)
	waitFor(t, "the delivery to begin", func() bool { return len(customer.deliveries()) == 1 })
	c.stop()

	c.start(caddyfile)
	second := publish(t, site, exampleEvent)
	waitFor(t, "the second delivery", func() bool { return customer.ids()[second] > 0 })
	if n := customer.ids()[first]; n != 1 {
		t.Errorf("the delivery that was under way when Caddy stopped was made %d times", n)
	}
}
