package redisseen_test

import (
	"context"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/manysends/caddy-webhooks/internal/redistest"
	"github.com/manysends/caddy-webhooks/receiver"
	"github.com/manysends/caddy-webhooks/receiver/redisseen"
	"github.com/manysends/caddy-webhooks/webhook"
)

// documentedUser is a user that docs/scaling.md gives to receivers.
func documentedUser(t *testing.T, name string) (rules []string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/scaling.md")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile("(?m)^user " + name + " (.+)$").FindStringSubmatch(string(text))
	if line == nil {
		t.Fatalf("docs/scaling.md has no line of the user %s", name)
	}
	return strings.Fields(line[1])
}

func passwordOf(rules []string) string {
	for _, rule := range rules {
		if password, found := strings.CutPrefix(rule, ">"); found {
			return password
		}
	}
	return ""
}

// userWith makes the user anew, and forgets what was denied to him.
func userWith(t *testing.T, c rueidis.Client, rules []string) {
	t.Helper()
	ctx := context.Background()
	for _, command := range [][]string{append([]string{"ACL", "SETUSER", "caddy", "reset"}, rules...), {"ACL", "LOG", "RESET"}} {
		if err := c.Do(ctx, c.B().Arbitrary(command...).Build()).Error(); err != nil {
			t.Fatalf("%q: %v", command, err)
		}
	}
}

// denied is what users were denied.
func denied(t *testing.T, c rueidis.Client) (objects []string) {
	t.Helper()
	entries, err := c.Do(context.Background(), c.B().Arbitrary("ACL", "LOG").Build()).ToArray()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		fields, err := e.AsStrMap()
		if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, fields["object"])
	}
	return objects
}

// doEverything does all that a Memory can do, and tells whether all of it went
// well.
func doEverything(t *testing.T, url string) bool {
	m, err := redisseen.Open(redisseen.Options{URL: url, Name: "n", Lease: 200 * time.Millisecond})
	if err != nil {
		return false
	}
	defer m.Close()
	ctx := context.Background()
	first, err := m.Claim(ctx, []receiver.Key{{1}, {2}}, 0)
	if err != nil || first.Hold == nil {
		return false
	}
	time.Sleep(400 * time.Millisecond) // it is renewed
	second, err := m.Claim(ctx, []receiver.Key{{3}}, 0)
	if err != nil || second.Hold == nil || second.Hold.Release(ctx) != nil || first.Hold.Commit(ctx, time.Hour) != nil {
		return false
	}
	if again, err := m.Claim(ctx, []receiver.Key{{1}}, 0); err != nil || !again.Duplicate {
		return false
	}
	if known, err := m.Forget(ctx, receiver.Key{2}); err != nil || !known {
		return false
	}
	taken, err := m.Take(ctx, []receiver.Bucket{{Key: receiver.Key{4}, Rate: webhook.Rate{Events: 20, Burst: 1}}})
	return err == nil && taken
}

// The user that is documented can do everything, is denied nothing, and can do
// nothing with other keys. Each of the commands that he may use is needed.
func TestDocumentedUser(t *testing.T) {
	server := redistest.Start(t, "--appendonly", "no")
	rules := documentedUser(t, "caddy")
	url := "redis://caddy:" + passwordOf(rules) + "@" + server.Addr
	admin := dial(t, redisseen.Options{URL: server.URL()})
	flush := func() {
		for _, command := range []string{"FLUSHDB", "SCRIPT FLUSH"} {
			if err := admin.Do(context.Background(), admin.B().Arbitrary(strings.Fields(command)...).Build()).Error(); err != nil {
				t.Fatal(err)
			}
		}
	}
	userWith(t, admin, rules)
	if !doEverything(t, url) || len(denied(t, admin)) > 0 {
		t.Fatalf("the documented user cannot do everything, and was denied %q", denied(t, admin))
	}
	for i, rule := range rules {
		if !strings.HasPrefix(rule, "+") {
			continue
		}
		flush()
		without := append(append([]string(nil), rules[:i]...), rules[i+1:]...)
		userWith(t, admin, without)
		if doEverything(t, url) && len(denied(t, admin)) == 0 {
			t.Errorf("%s is not needed", rule)
		}
	}
	userWith(t, admin, rules)
	stranger := dial(t, redisseen.Options{URL: url})
	ctx := context.Background()
	for _, command := range [][]string{{"GET", "other:1"}, {"SET", "other:1", "1"}, {"KEYS", "*"}, {"FLUSHALL"}, {"CONFIG", "GET", "*"}, {"PUBLISH", "a", "b"},
		{"EVAL", "return redis.call('GET', KEYS[1])", "1", "other:1"}} {
		if err := stranger.Do(ctx, stranger.B().Arbitrary(command...).Build()).Error(); err == nil || rueidis.IsRedisNil(err) {
			t.Errorf("%q is allowed", command)
		}
	}
}

// With Sentinel he needs a command more, and there is a user for the Sentinels.
func TestDocumentedUsersWithSentinel(t *testing.T) {
	rules, finder := documentedUser(t, "caddy"), documentedUser(t, "finder")
	server := redistest.Start(t, "--appendonly", "no")
	userWith(t, dial(t, redisseen.Options{URL: server.URL()}), append(rules, "+role"))
	sentinel := redistest.StartSentinel(t, server, "user finder "+strings.Join(finder, " "))
	m := open(t, redisseen.Options{
		URL:      "redis://caddy:" + passwordOf(rules) + "@" + sentinel.Addr,
		Sentinel: redisseen.Sentinel{MasterSet: redistest.MasterSet, Username: "finder", Password: passwordOf(finder)},
	})
	eventually(t, "a claim", func() bool {
		found, err := m.Claim(context.Background(), []receiver.Key{{1}}, 0)
		return err == nil && found.Hold != nil
	})
	for _, s := range []string{server.Addr, sentinel.Addr} {
		if objects := denied(t, dial(t, redisseen.Options{URL: "redis://" + s})); len(objects) > 0 {
			t.Errorf("the users were denied %q", objects)
		}
	}
}
