package integration

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// victim is a service of one's own network, which nobody may be led to. It
// counts the connections.
type victim struct {
	net.Listener
	port   string
	visits atomic.Int64
}

func newVictim(t *testing.T) *victim {
	t.Helper()
	l, err := net.Listen("tcp", freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	v := &victim{Listener: l}
	_, v.port, _ = net.SplitHostPort(l.Addr().String())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			v.visits.Add(1)
			conn.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-ended })
	return v
}

// TestNothingReachesTheOwnNetwork tries every field of a customer, and every one
// of whoever sends webhooks, that leads to a connection. The customer's site, the
// only thing that is allowed, tries to lead on.
func TestNothingReachesTheOwnNetwork(t *testing.T) {
	own := newVictim(t)
	c := newCaddy(t)
	site := freeAddress(t)
	// The whole of 127.0.0.0/8 is this machine; only .2 of it is opened.
	leader, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Skipf("127.0.0.2 is no address of this machine: %v", err)
	}
	var asked atomic.Int64
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.Header().Set("Location", "http://127.0.0.1:"+own.port+"/")
		w.Header().Set("Refresh", "0; url=http://127.0.0.1:"+own.port+"/")
		w.Header().Set("Alt-Svc", `h2="127.0.0.1:`+own.port+`"`)
		w.Header().Set("Link", "<http://127.0.0.1:"+own.port+"/>; rel=preload")
		w.WriteHeader(http.StatusTemporaryRedirect)
	}), ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(leader) }()
	t.Cleanup(func() { server.Close() })

	c.start(fmt.Sprintf(`{
	admin %s
	webhooks {
		event_types *
		egress {
			allow 127.0.0.2
			allow_http
		}
	}
}

http://%s {
	handle /events {
		webhook_publish
	}
	handle_path /settings/* {
		webhook_settings
	}
	handle /jwt {
		webhook_receive jwt {
			parameter issuer issuer
			parameter audience audience
			parameter jwks_url https://127.0.0.1:%s/keys
		}
		respond ok
	}
	handle /sns {
		webhook_receive sns {
			parameter topics *
			parameter confirm_subscriptions true
		}
		respond ok
	}
	handle /paypal {
		webhook_receive paypal {
			parameter webhook_id id
		}
		respond ok
	}
}
`, c.admin, site, own.port))
	owner := account{t, site + "/settings", ""}

	var made endpoint
	owner.want(http.StatusCreated, "POST", "/api/endpoints", fmt.Sprintf(`{"url":"http://%s/","active":true}`, leader.Addr()), &made)
	hosts := []string{
		"127.0.0.1", "127.0.0.1.", "localhost", "LOCALHOST", "localhost.", "127.1", "0.0.0.0", "[::]", "[::1]",
		"[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fe80::1%25lo]", "１２７.0.0.1", "127。0。0。1", "①②⑦.⓪.⓪.①",
		"127.0.0.2@127.0.0.1", "127.0.0.2:80@127.0.0.1", "127.0.0.3", "169.254.169.254", "10.0.0.1",
	}
	t.Run("hosts", func(t *testing.T) {
		for _, host := range hosts {
			t.Run(host, func(t *testing.T) {
				t.Parallel() // name servers may take their time
				owner := account{t, owner.site, ""}
				target := fmt.Sprintf("http://%s:%s/", host, own.port)
				body, err := json.Marshal(map[string]any{"url": target, "active": true})
				if err != nil {
					t.Fatal(err)
				}
				if id := idOf(owner.call("POST", "/api/endpoints", string(body)).body); id != "" {
					owner.call("POST", "/api/endpoints/"+id+"/test", "{}")
				}
				other := owner.newEndpoint("http://" + leader.Addr().String() + "/other")
				owner.call("PATCH", "/api/endpoints/"+other.ID, string(body))
				owner.call("POST", "/api/endpoints/"+other.ID+"/test", "{}")
				form(t, owner, "/check", url.Values{"url": {target}})
			})
		}
	})
	// Headers that could be taken for the host, and schemes that are none.
	for _, body := range []string{
		fmt.Sprintf(`{"url":"http://%s/","headers":{"Host":"127.0.0.1:%s"}}`, leader.Addr(), own.port),
		fmt.Sprintf(`{"url":"http://%s/","headers":{"X-Forwarded-Host":"127.0.0.1:%s","Forwarded":"host=127.0.0.1:%s"},"active":true}`, leader.Addr(), own.port, own.port),
		fmt.Sprintf(`{"url":"gopher://127.0.0.1:%s/"}`, own.port), `{"url":"file:///etc/passwd"}`, fmt.Sprintf(`{"url":"//127.0.0.1:%s/"}`, own.port),
	} {
		owner.call("POST", "/api/endpoints", body)
	}
	owner.want(http.StatusOK, "POST", "/api/endpoints/"+made.ID+"/test", "{}", nil)
	id := publish(t, site, `{"event":"a.b","data":{}}`)

	// Whoever sends webhooks names where keys are.
	header := func(pairs ...string) map[string]string {
		h := make(map[string]string)
		for i := 0; i < len(pairs); i += 2 {
			h[pairs[i]] = pairs[i+1]
		}
		return h
	}
	const token = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ.e30.AAAA"
	if got := send(t, "http://"+site+"/jwt", header("Authorization", "Bearer "+token), []byte("{}")); got.status != http.StatusServiceUnavailable {
		t.Errorf("a token whose keys are in the own network is answered %d", got.status)
	}
	waitFor(t, "the reason", func() bool { return strings.Contains(c.out.String(), "the address is not public") })
	for _, at := range []string{
		"https://127.0.0.1:" + own.port + "/a.pem", "https://sns.us-east-1.amazonaws.com:" + own.port + "@127.0.0.1/a.pem",
		"https://sns.us-east-1.amazonaws.com@127.0.0.1:" + own.port + "/a.pem", "http://sns.us-east-1.amazonaws.com/a.pem",
		"https://127.0.0.1:" + own.port + "/sns.us-east-1.amazonaws.com/a.pem", "https://sns.us-east-1.amazonaws.com.127.0.0.1.nip.io/a.pem",
	} {
		for _, kind := range []string{"Notification", "SubscriptionConfirmation"} {
			body, err := json.Marshal(map[string]string{
				"Type": kind, "MessageId": "1", "TopicArn": "arn:aws:sns:us-east-1:1:t", "Message": "m", "Timestamp": "2024-03-05T10:30:00.000Z", "Token": "t",
				"SubscribeURL": at, "SignatureVersion": "2", "Signature": "AAAA", "SigningCertURL": at,
			})
			if err != nil {
				t.Fatal(err)
			}
			if got := send(t, "http://"+site+"/sns", nil, body); got.status != http.StatusUnauthorized {
				t.Errorf("a message with a certificate at %s is answered %d", at, got.status)
			}
		}
	}
	for _, at := range []string{"https://127.0.0.1:" + own.port + "/a", "https://api.paypal.com@127.0.0.1:" + own.port + "/", "https://127.0.0.1:" + own.port + "/.paypal.com", "http://api.paypal.com/"} {
		got := send(t, "http://"+site+"/paypal", header("Paypal-Transmission-Id", "1", "Paypal-Transmission-Time", "2024-03-05T10:30:00Z", "Paypal-Transmission-Sig", "AAAA",
			"Paypal-Cert-Url", at, "Paypal-Auth-Algo", "SHA256withRSA"), []byte("{}"))
		if got.status != http.StatusUnauthorized {
			t.Errorf("a certificate at %s is answered %d", at, got.status)
		}
	}

	// The allowed one was asked by the test and by the delivery, and what it
	// answered was followed by nobody.
	waitFor(t, "the attempts", func() bool {
		var event struct {
			Deliveries []struct{ Status string }
		}
		owner.want(http.StatusOK, "GET", "/api/events/"+id, "", &event)
		return asked.Load() >= 2
	})
	if n := own.visits.Load(); n > 0 {
		t.Errorf("the own network was visited %d times", n)
	}
	conn, err := net.Dial("tcp", own.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	waitFor(t, "a visit to be counted", func() bool { return own.visits.Load() == 1 })
}

// idOf is the ID in an answer, or empty.
func idOf(body string) string {
	var made struct{ ID string }
	_ = json.Unmarshal([]byte(body), &made)
	return made.ID
}

// form sends a form to a page as a browser does.
func form(t *testing.T, a account, path string, values url.Values) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+a.site+path, strings.NewReader(values.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	client := &http.Client{Transport: oneOff.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode == http.StatusForbidden {
		t.Fatalf("the form %s is answered %d", path, resp.StatusCode)
	}
}
