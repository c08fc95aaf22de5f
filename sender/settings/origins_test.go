package settings_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/manysends/caddy-webhooks/sender/settings"
)

func TestCheckOrigin(t *testing.T) {
	for _, tt := range []struct{ origin, says string }{ // says is empty: it is taken
		{"https://app.example", ""},
		{"https://app.example:8443", ""},
		{"http://localhost:8080", ""},
		{"http://192.0.2.1", ""},
		{"https://[2001:db8::1]:8443", ""},
		{"https://xn--bcher-kva.example", ""},
		{"https://app.example/", "write https://app.example"},
		{"https://app.example/settings?a=b#c", "write https://app.example"},
		{"https://ann@app.example", "write https://app.example"},
		{"https://app.example:", "write https://app.example"},
		{"https://app.example:443", "write https://app.example"},
		{"http://app.example:80", "write http://app.example"},
		{"https://app.example:08443", "write https://app.example:8443"},
		{"HTTPS://App.Example", "write https://app.example"},
		{"https://[2001:DB8:0::1]", "write https://[2001:db8::1]"},
		{"*", "without wildcards"},
		{"https://*", "without wildcards"},
		{"https://*.app.example", "without wildcards"},
		{"https://app.*", "without wildcards"},
		{"https://app.example:*", "without wildcards"},
		{"null", "scheme and a host"},
		{"", "scheme and a host"},
		{"app.example", "scheme and a host"},
		{"//app.example", "scheme and a host"},
		{"https://", "scheme and a host"},
		{"https://:8443", "scheme and a host"},
		{"https:app.example", "scheme and a host"},
		{"file:///etc/passwd", "scheme and a host"},
		{"chrome-extension://abcdef", "scheme and a host"},
		{"https://app.example:0", "scheme and a host"},
		{"https://app.example:70000", "scheme and a host"},
		{"https://bücher.example", "scheme and a host"},
		{"https://{http.request.host}", "scheme and a host"},
		{"https://app.example,https://other.example", "scheme and a host"},
		{"https://[fe80::1%25eth0]", "scheme and a host"},
	} {
		err := settings.CheckOrigin(tt.origin)
		switch {
		case tt.says == "" && err != nil:
			t.Error(err)
		case tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says)):
			t.Errorf("%q: %v, which must say %q", tt.origin, err, tt.says)
		}
	}
}

// TestTrustedOriginsAreExact: requests whose Host is another one, example.com, are
// taken from pages of the origins that are trusted, and of no other.
func TestTrustedOriginsAreExact(t *testing.T) {
	r := newRig(t)
	r.TrustedOrigins = []string{"https://app.example", "http://localhost:8080"}
	for _, tt := range []struct {
		name    string
		headers []string
		trusted bool
	}{
		{"told by the origin", []string{"Origin", "https://app.example"}, true},
		{"told by the second origin", []string{"Origin", "http://localhost:8080"}, true},
		{"told by the page before", []string{"Referer", "https://app.example/settings/new"}, true},
		{"of another site, told by the browser", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://app.example"}, true},
		{"another scheme", []string{"Origin", "http://app.example"}, false},
		{"another port", []string{"Origin", "https://app.example:8443"}, false},
		{"a subdomain", []string{"Origin", "https://evil.app.example"}, false},
		{"one that begins so", []string{"Origin", "https://app.example.evil"}, false},
		{"one that ends so", []string{"Origin", "https://evilapp.example"}, false},
		{"with another that is trusted before it", []string{"Origin", "https://app.example https://evil.example"}, false},
		{"none", []string{"Origin", "null"}, false},
		{"a page before of another scheme", []string{"Referer", "http://app.example/settings/new"}, false},
		{"a page before of a subdomain", []string{"Referer", "https://evil.app.example/"}, false},
		{"a page before with the origin as user", []string{"Referer", "https://app.example@evil.example/"}, false},
		{"a page before with the origin in its path", []string{"Referer", "https://evil.example/https://app.example"}, false},
		{"the browser's word alone", []string{"Sec-Fetch-Site", "cross-site"}, false},
		{"the browser's word and the page before", []string{"Sec-Fetch-Site", "cross-site", "Referer", "https://app.example/"}, false},
	} {
		a := postForm(t, r.Handler, "/check", url.Values{"url": {"x"}}, tt.headers...)
		if want := map[bool]int{true: http.StatusOK, false: http.StatusForbidden}[tt.trusted]; a.status != want {
			t.Errorf("%s: a form is answered %d, want %d: %s", tt.name, a.status, want, a.body)
		}
	}
	id := r.create("/hooks", "")
	r.do("POST", "/api/endpoints/"+id+"/activate", "", "Origin", "http://app.example").problem(http.StatusForbidden, "")
	r.do("POST", "/api/endpoints/"+id+"/activate", "", "Origin", "https://app.example").want(http.StatusOK)
}

// TestOriginThatIsNone: with an origin that would never match, or that looks as
// if it matched many, nothing is served.
func TestOriginThatIsNone(t *testing.T) {
	r := newRig(t)
	r.TrustedOrigins = []string{"https://app.example", "https://*.app.example"}
	send(t, r.Handler, "GET", "/api/endpoints", "").problem(http.StatusInternalServerError, "")
	if !strings.Contains(r.log.String(), "without wildcards") {
		t.Errorf("the cause is not in the log: %s", r.log)
	}
}
