package integration

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// printed is what a command has printed, and its exit code.
type printed struct {
	out, notes string
	code       int
}

// webhooks runs `caddy webhooks` against this Caddy.
func (c *caddy) webhooks(args ...string) printed {
	c.t.Helper()
	return c.webhooksWith("", args...)
}

// webhooksWith does so with something on stdin.
func (c *caddy) webhooksWith(stdin string, args ...string) printed {
	c.t.Helper()
	cmd := c.command(append([]string{"webhooks", "--address", c.admin}, args...)...)
	var out, notes bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &notes
	err := cmd.Run()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		c.t.Fatal(err)
	}
	return printed{out.String(), notes.String(), cmd.ProcessState.ExitCode()}
}

// must runs a command that must succeed and returns what it has printed.
func (c *caddy) must(args ...string) string {
	c.t.Helper()
	got := c.webhooks(args...)
	if got.code != 0 {
		c.t.Fatalf("%q: exit code %d\n%s%s", args, got.code, got.out, got.notes)
	}
	return got.out
}

// mustJSON runs a command that must print one document.
func (c *caddy) mustJSON(v any, args ...string) {
	c.t.Helper()
	out := c.must(append(args, "--json")...)
	if err := json.Unmarshal([]byte(out), v); err != nil {
		c.t.Fatalf("%q: %v\n%s", args, err, out)
	}
}

// commandCaddyfile is a Caddy with an endpoint that works, one that does not,
// and two tenants who publish at /acme and /globex.
func commandCaddyfile(admin, site, good, bad, options string) string {
	endpoints := fmt.Sprintf(`
		endpoint crm %s {
			tenant acme
			events conversation.*
		}
		endpoint shop %s {
			tenant globex
		}`, good, bad)
	return localWebhooks(admin, "retry 1ms\n\t\t"+options+endpoints) + fmt.Sprintf(`
http://%s {
	handle /acme/events {
		webhook_publish {
			tenant acme
		}
	}
	handle /globex/events {
		webhook_publish {
			tenant globex
		}
	}
	handle /hooks {
		webhook_receive stripe {
			secret %s
		}
		respond 200
	}
}
`, site, stripeSecret)
}

type listedDelivery struct{ ID, Tenant, Status, Endpoint string }

// deliveryList is a page of deliveries.
type deliveryList struct {
	Deliveries []listedDelivery
	Next       string
}

// TestCommands goes through the commands that ask a running Caddy, with the
// real binary: also after a configuration was rejected, and through a socket.
func TestCommands(t *testing.T) {
	good, bad := newSink(t, ""), newSink(t, "")
	bad.setAnswer(http.StatusInternalServerError)
	c := newCaddy(t)
	c.admin = "unix/" + filepath.Join(t.TempDir(), "admin.sock")
	site := freeAddress(t)
	caddyfile := commandCaddyfile(c.admin, site, good.URL, bad.URL, "")
	c.start(caddyfile)
	if out, err := c.reload(caddyfile + cannotStart); err == nil {
		t.Fatalf("a configuration that cannot start was accepted:\n%s", out)
	}

	id := publish(t, site+"/acme", exampleEvent)
	// Two attempts each: with the fifth failure the endpoint would be paused.
	publish(t, site+"/globex", exampleEvent)
	publish(t, site+"/globex", exampleEvent)
	failed := mustBe(t, c, "globex", "failed", 2)

	t.Run("status", func(t *testing.T) {
		var status struct {
			Running   bool
			Endpoints map[string]int
			Receivers []struct{ Name string }
		}
		c.mustJSON(&status, "status")
		if !status.Running || status.Endpoints["active"]+status.Endpoints["paused"] != 2 || len(status.Receivers) != 1 || status.Receivers[0].Name != "stripe" {
			t.Errorf("the status is %+v", status)
		}
		if out := c.must("status"); !strings.Contains(out, "\nSender     running\n") || !strings.Contains(out, "\nstripe    stripe ") {
			t.Errorf("the status is:\n%s", out)
		}
	})
	t.Run("endpoints", func(t *testing.T) {
		if out := c.must("endpoints"); !strings.Contains(out, "\ncrm       acme    active  ") || !strings.Contains(out, "\nshop      globex  ") {
			t.Errorf("the endpoints are:\n%s", out)
		}
		if out := c.must("endpoints", "--tenant", "acme"); !strings.Contains(out, "\ncrm ") || strings.Contains(out, "\nshop ") {
			t.Errorf("the endpoints of one tenant are:\n%s", out)
		}
		if got := c.webhooks("endpoints", "rotate", "crm"); got.code != 1 || !strings.Contains(got.notes, "the endpoint stands in the configuration") {
			t.Errorf("rotating a secret of the configuration: %+v", got)
		}
	})
	t.Run("deliveries", func(t *testing.T) {
		if out := c.must("deliveries"); strings.Count(out, "\ndlv_") != 3 {
			t.Errorf("the deliveries are:\n%s", out)
		}
		lines := strings.Split(strings.TrimSpace(c.must("deliveries", "--all", "--json")), "\n")
		for _, line := range lines {
			if !json.Valid([]byte(line)) {
				t.Errorf("a line is no JSON: %s", line)
			}
		}
		if len(lines) != 3 {
			t.Errorf("%d deliveries are listed", len(lines))
		}
		var page, rest deliveryList
		c.mustJSON(&page, "deliveries", "--limit", "2")
		c.mustJSON(&rest, "deliveries", "--limit", "2", "--cursor", page.Next)
		if len(page.Deliveries) != 2 || len(rest.Deliveries) != 1 {
			t.Errorf("the pages are %+v and %+v", page, rest)
		}
		if got := c.webhooks("deliveries", "--since", "1h", "--until", "30m"); got.code != 0 || got.out != "" {
			t.Errorf("deliveries of a time before: %+v", got)
		}
		if got := c.webhooks("deliveries", "--status", "lost"); got.code != 2 || !strings.Contains(got.notes, `"lost" is unknown: use pending, blocked, succeeded, failed or cancelled`) {
			t.Errorf("a status that there is none of: %+v", got)
		}
	})
	t.Run("show", func(t *testing.T) {
		for _, tt := range []struct{ id, says string }{
			{id, "Event     " + id + "\n"},
			{failed[0].ID, "Answer to try 2: 500\n"},
			{"crm", "Endpoint      crm\n"},
		} {
			if out := c.must("show", tt.id); !strings.Contains(out, tt.says) {
				t.Errorf("%s is shown as:\n%s", tt.id, out)
			}
		}
		if got := c.webhooks("show", "dlv_99_crm"); got.code != 1 || !strings.Contains(got.notes, `there is no delivery, event, endpoint or replay "dlv_99_crm"`) {
			t.Errorf("what there is not: %+v", got)
		}
	})
	t.Run("test", func(t *testing.T) {
		if out := c.must("test", "crm", "--type", "conversation.created"); !strings.Contains(out, "\nok  answer ") || !strings.Contains(out, "\nok: ") {
			t.Errorf("the test of a good endpoint:\n%s", out)
		}
		if got := c.webhooks("test", "shop"); got.code != 3 || !strings.Contains(got.out, "\nfailed  answer ") {
			t.Errorf("the test of a bad endpoint: %+v", got)
		}
		var report struct{ OK bool }
		if got := c.webhooks("test", "shop", "--json"); got.code != 3 || json.Unmarshal([]byte(got.out), &report) != nil || report.OK {
			t.Errorf("the test of a bad endpoint: %+v", got)
		}
		if got := c.webhooks("test", "none"); got.code != 1 || !strings.Contains(got.notes, "there is no endpoint of this ID") {
			t.Errorf("the test of no endpoint: %+v", got)
		}
	})
	bad.setAnswer(http.StatusOK)
	t.Run("retry", func(t *testing.T) {
		first := failed[0].ID
		if out := c.must("retry", first); !strings.HasPrefix(out, first+" is delivered again: ") {
			t.Errorf("retrying printed:\n%s", out)
		}
		got := c.webhooksWith("dlv_99_shop\n"+failed[1].ID+"\n", "retry", "-")
		if got.code != 1 || !strings.Contains(got.notes, "dlv_99_shop: there is no delivery of this ID") || !strings.HasPrefix(got.out, failed[1].ID+" is delivered again: ") {
			t.Errorf("retrying one of two: %+v", got)
		}
		mustBe(t, c, "globex", "succeeded", 2)
	})
	t.Run("replay", func(t *testing.T) {
		bad.setAnswer(http.StatusInternalServerError)
		publish(t, site+"/globex", exampleEvent)
		mustBe(t, c, "globex", "failed", 1)
		bad.setAnswer(http.StatusOK)
		if out := c.must("replay", "--dry-run"); out != "1\n" {
			t.Errorf("a dry run counted:\n%s", out)
		}
		if out := c.must("replay", "--tenant", "globex", "--rate", "50/s"); !strings.Contains(out, " is done: 1 of 1 replayed\n") {
			t.Errorf("the replay ended as:\n%s", out)
		}
		mustBe(t, c, "globex", "succeeded", 3)
		slow := strings.TrimSpace(c.must("replay", "--status", "succeeded", "--rate", "1/h", "--detach"))
		if out := c.must("replay", "show", slow); !strings.Contains(out, "State     running\n") {
			t.Errorf("a slow replay is shown as:\n%s", out)
		}
		if out := c.must("replay", "cancel", slow); !strings.HasPrefix(out, slow+" is cancelled: ") {
			t.Errorf("cancelling printed:\n%s", out)
		}
		if out := c.must("replay", "list"); strings.Count(out, "\nrpl_") != 2 {
			t.Errorf("the replays are:\n%s", out)
		}
	})
}

// mustBe waits until a tenant has so many deliveries of a status.
func mustBe(t *testing.T, c *caddy, tenant, status string, n int) []listedDelivery {
	t.Helper()
	var list deliveryList
	waitFor(t, "the deliveries", func() bool {
		list = deliveryList{}
		c.mustJSON(&list, "deliveries", "--tenant", tenant, "--status", status)
		return len(list.Deliveries) == n
	})
	return list.Deliveries
}

// TestCommandsWithoutWebhooks asks a Caddy that has none, and no Caddy.
func TestCommandsWithoutWebhooks(t *testing.T) {
	c := newCaddy(t)
	caddyfile := fmt.Sprintf("{\n\tadmin %s\n}\n\nhttp://%s {\n\trespond 200\n}\n", c.admin, freeAddress(t))
	c.start(caddyfile)
	if got := c.webhooks("status"); got.code != 3 || !strings.Contains(got.out, "not configured") {
		t.Errorf("the status: %+v", got)
	}
	for _, args := range [][]string{{"endpoints"}, {"deliveries"}, {"show", "evt_1"}, {"replay", "--yes"}, {"tail"}, {"test", "crm"}, {"retry", "dlv_1_crm"}} {
		got := c.webhooks(args...)
		if got.code != 1 || got.out != "" || !strings.Contains(got.notes, "webhooks") {
			t.Errorf("%q: %+v", args, got)
		}
	}
	withConfig := c.command("webhooks", "status", "--config", c.write(caddyfile))
	if out, err := withConfig.CombinedOutput(); !strings.Contains(string(out), "not configured") {
		t.Errorf("with the address from the configuration: %v\n%s", err, out)
	}
	// Nothing but the answer is printed, and the address may be a placeholder.
	placeholder := filepath.Join(c.home, "Caddyfile.placeholder")
	writeFile(t, placeholder, "{\n\tadmin {env.ADMIN_ADDRESS}\n}\n")
	c.env = append(c.env, "ADMIN_ADDRESS="+c.admin)
	if got := c.runs("", "status", "--config", placeholder); got.code != 3 || !strings.Contains(got.out, "not configured") || got.notes != "" {
		t.Errorf("with a placeholder for the address in the configuration: %+v", got)
	}
	// The one that runs, at the default address, is not the one of a configuration
	// that has none.
	off := filepath.Join(c.home, "Caddyfile.off")
	writeFile(t, off, "{\n\tadmin off\n}\n")
	withoutAdmin := c.command("webhooks", "status", "--config", off)
	withoutAdmin.Env = append(withoutAdmin.Env, "CADDY_ADMIN="+c.admin)
	if out, err := withoutAdmin.CombinedOutput(); err == nil || !strings.Contains(string(out), "has `admin off`, and such a Caddy cannot be asked") || strings.Contains(string(out), "not configured") {
		t.Errorf("with a configuration without an admin API: %v\n%s", err, out)
	}
	c.stop()
	if got := c.webhooks("status"); got.code != 1 || !strings.Contains(got.notes, "no Caddy answers at "+c.admin+" (connection refused): start it, or give ") {
		t.Errorf("without a Caddy: %+v", got)
	}
	if got := c.webhooks("status", "--address", "unix/"+filepath.Join(c.home, "none.sock")); got.code != 1 || !strings.Contains(got.notes, "no Caddy answers at ") {
		t.Errorf("without a socket: %+v", got)
	}
	if got := c.runs("", "statsu", "--address", c.admin); got.code != 2 || !strings.Contains(got.notes, `did you mean "status"?`) {
		t.Errorf("a command that there is none of: %+v", got)
	}
}

// running is a command that goes on until it is interrupted.
type running struct {
	t     *testing.T
	cmd   *exec.Cmd
	out   *output
	notes *output
}

// startCommand starts one.
func (c *caddy) startCommand(args ...string) *running {
	c.t.Helper()
	r := &running{t: c.t, cmd: c.command(append([]string{"webhooks", "--address", c.admin}, args...)...), out: new(output), notes: new(output)}
	r.cmd.Stdout, r.cmd.Stderr = r.out, r.notes
	if err := r.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = r.cmd.Process.Kill() })
	return r
}

// interrupt is Ctrl-C; it returns the exit code.
func (r *running) interrupt() int {
	r.t.Helper()
	if err := r.cmd.Process.Signal(os.Interrupt); err != nil {
		r.t.Fatal(err)
	}
	_ = r.cmd.Wait()
	return r.cmd.ProcessState.ExitCode()
}

// TestTailOverReloads follows deliveries over a reload and a restart of Caddy,
// none of which it may hold up.
func TestTailOverReloads(t *testing.T) {
	customer := newSink(t, "")
	c := newCaddy(t)
	site := freeAddress(t)
	caddyfile := func(option string) string { return commandCaddyfile(c.admin, site, customer.URL, customer.URL, option) }
	c.start(caddyfile(""))
	before := publish(t, site+"/acme", exampleEvent)
	mustBe(t, c, "acme", "succeeded", 1)

	tail := c.startCommand("tail", "--tenant", "acme", "--json")
	hasDone := func(id string) func() bool {
		return func() bool {
			for line := range strings.Lines(tail.out.String()) {
				var d struct {
					EventID string `json:"event_id"`
					Status  string
					Tenant  string
				}
				if !strings.HasSuffix(line, "\n") {
					continue
				}
				if err := json.Unmarshal([]byte(line), &d); err != nil || d.Tenant != "acme" {
					t.Fatalf("%v: %s", err, line)
				}
				if d.EventID == id && d.Status == "succeeded" {
					return true
				}
			}
			return false
		}
	}
	waitFor(t, "the newest delivery", hasDone(before))
	// The stream comes after; only a delivery shows that it is there.
	appears := func(when string) {
		t.Helper()
		var ids []string
		waitFor(t, "a delivery "+when, func() bool {
			publish(t, site+"/globex", exampleEvent)
			ids = append(ids, publish(t, site+"/acme", exampleEvent))
			for _, id := range ids {
				if hasDone(id)() {
					return true
				}
			}
			return false
		})
	}
	appears("live")
	if out, err := c.reload(caddyfile("timeout 20s")); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	waitFor(t, "the stream after the reload", func() bool { return strings.Contains(tail.notes.String(), "The connection is there again") })
	appears("after the reload")
	c.stop()
	c.start(caddyfile("timeout 20s"))
	waitFor(t, "the stream after the restart", func() bool { return strings.Count(tail.notes.String(), "The connection is there again") == 2 })
	appears("after the restart")
	if code := tail.interrupt(); code != 0 {
		t.Errorf("tail ended with %d\n%s", code, tail.notes)
	}
}

// TestReplayIsLeftRunning interrupts a replay that is followed: it goes on.
func TestReplayIsLeftRunning(t *testing.T) {
	customer := newSink(t, "")
	c := newCaddy(t)
	site := freeAddress(t)
	c.start(commandCaddyfile(c.admin, site, customer.URL, customer.URL, ""))
	for range 3 {
		publish(t, site+"/globex", exampleEvent)
	}
	mustBe(t, c, "globex", "succeeded", 3)
	replay := c.startCommand("replay", "--status", "succeeded", "--rate", "1/h")
	var list struct{ Replays []struct{ ID, State string } }
	waitFor(t, "the replay to begin", func() bool {
		c.mustJSON(&list, "replay", "list")
		return len(list.Replays) == 1
	})
	code := replay.interrupt()
	id := list.Replays[0].ID
	if want := "The replay goes on. To look at it or to stop it: caddy webhooks replay show|cancel " + id + "\n"; code != 130 || replay.notes.String() != want {
		t.Errorf("it ended with %d and said:\n%s", code, replay.notes)
	}
	if out := c.must("replay", "show", id); !strings.Contains(out, "State     running\n") {
		t.Errorf("it does not go on:\n%s", out)
	}
	followed := c.startCommand("replay", "show", "--follow", id)
	c.must("replay", "cancel", id)
	_ = followed.cmd.Wait()
	if code := followed.cmd.ProcessState.ExitCode(); code != 3 || !strings.Contains(followed.out.String(), id+" is cancelled: ") {
		t.Errorf("who followed it saw %d, %s%s", code, followed.out, followed.notes)
	}
}
