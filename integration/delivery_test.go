package integration

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// documentedTypes are the event types of the product's documentation, written
// out here so that a change of the catalogue is noticed.
var documentedTypes = []string{
	"conversation.created", "conversation.status_changed", "conversation.assigned", "conversation.resolved", "conversation.reopened",
	"message.created", "message.updated", "message.deleted", "message.reaction_added", "message.reaction_removed",
	"agent.created", "agent.updated", "agent.deleted", "agent.status_changed",
	"label.created", "label.updated", "label.deleted", "conversation.labeled",
}

const testSecret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

// senderCaddyfile is a Caddy that publishes at /events on site, with endpoints
// as given.
func senderCaddyfile(admin, site, endpoints string) string {
	return localWebhooks(admin, endpoints) + fmt.Sprintf(`
http://%s {
	handle /events {
		webhook_publish
	}
}
`, site)
}

// nastyData is JSON that re-serialising changes in one language or another.
const nastyData = `{"10":1,"2":2,"slash":"\/","html":"<b>&</b>","e":"\u00e9 😀","one":1.0,"big":1e21,"long":12345678901234567890,"small":0.000001,"sep":"` + "\u2028" + `","minus":-0,"empty":{}}`

// TestEveryEventTypeIsVerifiedElsewhere publishes every documented event type
// to a real Caddy and has each delivery checked by the official Standard
// Webhooks library and, for the signature in the body, by one-liners in four
// languages.
func TestEveryEventTypeIsVerifiedElsewhere(t *testing.T) {
	needPeers(t)
	customer := newSink(t, "")
	c := newCaddy(t)
	site := freeAddress(t)
	c.start(senderCaddyfile(c.admin, site, fmt.Sprintf("endpoint crm %s {\n\t\t\tsecret %s\n\t\t}", customer.URL, testSecret)))

	ids := make(map[string]string)
	for _, eventType := range documentedTypes {
		ids[publish(t, site, fmt.Sprintf(`{ "event": %q, "data": %s }`, eventType, nastyData))] = eventType
	}
	waitFor(t, "all deliveries", func() bool { return len(customer.deliveries()) >= len(documentedTypes) })

	var lines bytes.Buffer
	arrived := make(map[string]string)
	for _, d := range customer.deliveries() {
		var body struct {
			Event     string
			Timestamp string
			Data      json.RawMessage
		}
		if err := json.Unmarshal(d.bytes(), &body); err != nil {
			t.Fatal(err)
		}
		arrived[d.Headers.Get("Webhook-Id")] = body.Event
		if string(body.Data) != nastyData {
			t.Errorf("%s: the data was changed:\n%s\nwas published as\n%s", body.Event, body.Data, nastyData)
		}
		if !verifyBodyInGo(d.bytes(), testSecret) {
			t.Errorf("%s: the signature in the body is wrong, says Go", body.Event)
		}
		d.Secret = testSecret
		if err := json.NewEncoder(&lines).Encode(d); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(ids, arrived); diff != "" {
		t.Errorf("published (-) and arrived (+) differ:\n%s", diff)
	}

	for _, peer := range [][]string{{"node", "verify.mjs"}, {"python3", "verify_body.py"}, {"php", "verify_body.php"}} {
		results := runPeer(t, lines.Bytes(), peer...)
		if len(results) != len(documentedTypes) {
			t.Errorf("%s checked %d deliveries of %d", peer[0], len(results), len(documentedTypes))
		}
		for _, r := range results {
			if !r.BodyOK || peer[0] == "node" && !r.HeadersOK {
				t.Errorf("%s does not accept %s (%s): %+v", peer[0], r.ID, ids[r.ID], r)
			}
		}
	}
}

// TestPeersRefuseForgeries guards the test above: a verifier that accepts
// everything would prove nothing.
func TestPeersRefuseForgeries(t *testing.T) {
	good := `{"event":"conversation.created","timestamp":"2024-03-05T10:30:00Z","data":{"id":"conv_123","status":"open","inbox_id":1,"contact_id":456},"signature":"sha256=a402d95ddc0a0141cbc0b1f3b759444d2da52b6f41d53678c2227af07e6a30ad"}`
	forged := strings.Replace(good, "456", "457", 1)
	var lines bytes.Buffer
	for _, body := range []string{good, forged} {
		d := delivery{
			Headers: map[string][]string{
				"Webhook-Id":        {"evt_0192f0c1a2b37c4d8e5f60718293a4b5"},
				"Webhook-Timestamp": {"1709634600"},
				"Webhook-Signature": {"v1,lzeWAiyRfH2KxX8DXuSUfMd0jhG7k2flAAwnTUfduFM="},
			},
			Body:   base64.StdEncoding.EncodeToString([]byte(body)),
			Secret: testSecret,
		}
		line, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		// The vector is from 2024.
		lines.Write(bytes.Replace(line, []byte(`"secret"`), []byte(`"now":1709634600,"secret"`), 1))
		lines.WriteByte('\n')
	}
	if !verifyBodyInGo([]byte(good), testSecret) || verifyBodyInGo([]byte(forged), testSecret) {
		t.Error("Go does not tell the good one from the forged one")
	}
	for _, peer := range [][]string{{"node", "verify.mjs"}, {"python3", "verify_body.py"}, {"php", "verify_body.php"}} {
		results := runPeer(t, lines.Bytes(), peer...)
		if len(results) != 2 || !results[0].BodyOK || results[1].BodyOK {
			t.Errorf("%s does not tell the good one from the forged one: %+v", peer[0], results)
		}
		if peer[0] == "node" && len(results) == 2 && (!results[0].HeadersOK || results[1].HeadersOK) {
			t.Errorf("the official library does not tell the good one from the forged one: %+v", results)
		}
	}
}

// verifyBodyInGo is what a customer who writes Go would write, without this
// module.
func verifyBodyInGo(body []byte, secret string) bool {
	key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	mac := hmac.New(sha256.New, key)
	mac.Write(append(body[:len(body)-87:len(body)-87], '}'))
	return hmac.Equal(body[len(body)-87:], []byte(`,"signature":"sha256=`+hex.EncodeToString(mac.Sum(nil))+`"}`))
}

// needPeers skips a test where the other languages are not installed. The
// continuous integration installs them, and fails when a test is skipped.
func needPeers(t *testing.T) {
	t.Helper()
	for _, command := range []string{"node", "python3", "php"} {
		if _, err := exec.LookPath(command); err != nil {
			t.Skipf("%s is not installed: this test has deliveries checked in JavaScript, Python and PHP", command)
		}
	}
	if _, err := os.Stat(filepath.Join("peers", "node_modules", "standardwebhooks")); err != nil {
		t.Skip("the official library is not installed: run `npm ci --ignore-scripts` in integration/peers")
	}
}

// verdict is what a verifier in another language says of one delivery.
type verdict struct {
	ID        string
	HeadersOK bool `json:"headers_ok"`
	BodyOK    bool `json:"body_ok"`
	Error     string
}

// runPeer gives deliveries to a verifier in another language.
func runPeer(t *testing.T, lines []byte, command ...string) []verdict {
	t.Helper()
	needPeers(t)
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = "peers"
	cmd.Stdin = bytes.NewReader(lines)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", command[0], err, stderr.String())
	}
	var results []verdict
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		var v verdict
		if err := json.Unmarshal(s.Bytes(), &v); err != nil {
			t.Fatalf("%s printed %q: %v", command[0], s.Text(), err)
		}
		results = append(results, v)
	}
	return results
}
