package integration

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// exampleEvent is the event of the README's curl command.
const exampleEvent = `{"event":"conversation.created","data":{"id":"conv_123","status":"open","inbox_id":1,"contact_id":456}}`

// exampleEndpoint is the endpoint that docs/settings.md makes through the API.
const exampleEndpoint = `{"url":"http://localhost:8082/","events":["message.*"]}`

// TestExampleShowsTheWholeWay runs Caddyfile.example as it stands, but for its
// ports, publishes with the README's curl command, and finds the event, once,
// in what the demo application prints. Then it makes the endpoint of
// docs/settings.md.
func TestExampleShowsTheWholeWay(t *testing.T) {
	example, err := os.ReadFile(filepath.Join("..", "Caddyfile.example"))
	if err != nil {
		t.Fatal(err)
	}
	c := newCaddy(t)
	caddyfile := string(example)
	site, application := "", ""
	for _, port := range []string{"8080", "8081", "8082"} {
		_, free, err := net.SplitHostPort(freeAddress(t))
		if err != nil {
			t.Fatal(err)
		}
		if site == "" {
			site = "localhost:" + free
		}
		application = "localhost:" + free // the last one
		if !strings.Contains(caddyfile, "localhost:"+port) {
			t.Fatalf("the example does not use port %s any more", port)
		}
		caddyfile = strings.ReplaceAll(caddyfile, "localhost:"+port, "localhost:"+free)
	}
	caddyfile = strings.Replace(caddyfile, "default_bind", "admin "+c.admin+"\n\tdefault_bind", 1)
	c.start(caddyfile)

	status, answer := curl(t, site+"/events", exampleEvent)
	var receipt struct{ ID string }
	if err := json.Unmarshal([]byte(answer), &receipt); err != nil || !strings.HasPrefix(receipt.ID, "evt_") || status != 202 {
		t.Fatalf("the answer is not 202 with an ID but %d %q", status, answer)
	}
	shown := func() int { return strings.Count(c.out.String(), receipt.ID) }
	waitFor(t, "the demo application to print the event", func() bool { return shown() > 0 })
	time.Sleep(300 * time.Millisecond) // a second delivery would need a moment
	if n := shown(); n != 1 {
		t.Errorf("the demo application printed the event %d times", n)
	}
	if !strings.Contains(c.out.String(), `conv_123`) {
		t.Error("the demo application did not print the event's data")
	}

	settings := account{t, site + "/settings/webhooks", ""}
	var made endpoint
	settings.want(201, "POST", "/api/endpoints", strings.Replace(exampleEndpoint, "localhost:8082", application, 1), &made)
	var report struct{ OK bool }
	if got := settings.want(200, "POST", "/api/endpoints/"+made.ID+"/test", "", &report); !report.OK {
		t.Errorf("the test of the endpoint has failed:\n%s", got.body)
	}
	settings.want(200, "POST", "/api/endpoints/"+made.ID+"/activate", "", nil)
	id := settings.publish(`{"event":"message.created","data":{}}`)
	var page struct {
		Deliveries []struct {
			ID      string
			EventID string `json:"event_id"`
			Status  string
		}
	}
	waitFor(t, "the API to list the delivery", func() bool {
		settings.want(200, "GET", "/api/deliveries?endpoint="+made.ID, "", &page)
		return len(page.Deliveries) == 1 && page.Deliveries[0].EventID == id && page.Deliveries[0].Status == "succeeded"
	})
	settings.want(202, "POST", "/api/deliveries/"+page.Deliveries[0].ID+"/retry", "", nil)
	settings.want(200, "POST", "/api/replays", exampleReplay, nil)
}

// exampleReplay is the replay that docs/settings.md counts through the API.
const exampleReplay = `{"statuses":["failed"],"dry_run":true}`

// curl posts with curl -d, or, where curl is not installed, just as it does.
func curl(t *testing.T, url, data string) (status int, answer string) {
	t.Helper()
	if _, err := exec.LookPath("curl"); err != nil {
		return post(t, "http://"+url, "application/x-www-form-urlencoded", []byte(data))
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "curl", "-sS", "-w", "%{http_code}", "-d", data, url).CombinedOutput()
	if err != nil || len(out) < 3 {
		t.Fatalf("curl: %v\n%s", err, out)
	}
	status, err = strconv.Atoi(string(out[len(out)-3:]))
	if err != nil {
		t.Fatalf("curl printed %q", out)
	}
	return status, string(out[:len(out)-3])
}

// TestExampleNamesTheCommands guards that the example is run as the README says.
func TestExampleNamesTheCommands(t *testing.T) {
	readme, example := readFile(t, "../README.md"), readFile(t, "../Caddyfile.example")
	for _, command := range []string{"go run ./caddymodule/caddy run --config Caddyfile.example", "curl -d '" + exampleEvent + "' localhost:8080/events"} {
		if !strings.Contains(readme, command) || !strings.Contains(example, command) {
			t.Errorf("the README or Caddyfile.example does not have the command %s", command)
		}
	}
	settings := readFile(t, "../docs/settings.md")
	for _, body := range []string{exampleEndpoint, exampleReplay} {
		if !strings.Contains(settings, "curl --json '"+body+"'") {
			t.Errorf("docs/settings.md does not have the request %s", body)
		}
	}
}
