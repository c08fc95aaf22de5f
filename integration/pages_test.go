package integration

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// pageLink matches what a page loads.
var pageLink = regexp.MustCompile(`(?:href|src)="([^"]*assets/[^"]*)"`)

// browse makes a request as a browser does, with a form unless that is nil. It
// follows no redirect.
func (a account) browse(path string, form url.Values, headers ...string) (*http.Response, string) {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(a.t.Context(), 60*time.Second)
	defer cancel()
	method, body := "GET", ""
	if form != nil {
		method, body = "POST", form.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+a.site+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/html")
	req.SetBasicAuth(a.user, a.user+"-password")
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", "http://"+a.site)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	client := *oneOff
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return resp, string(text)
}

// TestPagesThroughCaddy goes through the pages in a real Caddy, wherever they are
// mounted: what they load and lead to is there, their forms work behind a login,
// and those of other sites do not.
func TestPagesThroughCaddy(t *testing.T) {
	customer := newSink(t, "")
	c := newCaddy(t)
	site := freeAddress(t)
	c.start(pagesCaddyfile(c.admin, site, "http://fixed.invalid"))
	ann, bob := account{t, site, "ann"}, account{t, site, "bob"}
	for i, mount := range []string{"/settings/webhooks", "/manage/webhooks", "/look"} {
		resp, _ := ann.browse(mount, nil)
		if location, err := resp.Location(); resp.StatusCode != http.StatusSeeOther || err != nil || location.Path != mount+"/" {
			t.Errorf("%s leads with %d to %v", mount, resp.StatusCode, location)
		}
		resp, page := ann.browse(mount+"/", nil)
		if resp.StatusCode != http.StatusOK || !strings.Contains(resp.Header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Fatalf("%s/ is answered %d %v: %s", mount, resp.StatusCode, resp.Header, page)
		}
		assets := pageLink.FindAllStringSubmatch(page, -1)
		if len(assets) != 2 {
			t.Errorf("%s/ loads %v", mount, assets)
		}
		for _, match := range assets {
			address, err := resp.Request.URL.Parse(match[1])
			if err != nil {
				t.Fatal(err)
			}
			if resp, _ := ann.browse(address.Path, nil); resp.StatusCode != http.StatusOK || !strings.Contains(resp.Header.Get("Cache-Control"), "immutable") {
				t.Errorf("%s is answered %d %v", address, resp.StatusCode, resp.Header)
			}
		}

		form := url.Values{"url": {fmt.Sprintf("%s/%d", customer.URL, i)}, "events": {"conversation.*"}, "signing": {"hmac"}, "active": {"1"}}
		if resp, _ := ann.browse(mount+"/new", form, "Origin", "https://elsewhere.example"); resp.StatusCode != http.StatusForbidden {
			t.Errorf("%s: a form of another site is answered %d", mount, resp.StatusCode)
		}
		resp, page = ann.browse(mount+"/new", form)
		if mount == "/look" {
			if resp.StatusCode != http.StatusForbidden {
				t.Errorf("a form is answered %d where nothing can be changed", resp.StatusCode)
			}
			continue
		}
		if resp.StatusCode != http.StatusSeeOther {
			t.Fatalf("%s/new is answered %d: %s", mount, resp.StatusCode, page)
		}
		made, err := resp.Location()
		if err != nil {
			t.Fatal(err)
		}
		if _, page := ann.browse(made.RequestURI(), nil); !strings.Contains(page, `id="new-secret">whsec_`) {
			t.Errorf("%s shows no secret: %s", made, page)
		}
		if resp, _ := bob.browse(made.RequestURI(), nil); resp.StatusCode != http.StatusNotFound {
			t.Errorf("the page of another user's webhook is answered %d", resp.StatusCode)
		}
		if resp, page := ann.browse(made.Path+"/test", url.Values{"type": {"conversation.created"}}); resp.StatusCode != http.StatusSeeOther {
			t.Errorf("the test is answered %d: %s", resp.StatusCode, page)
		} else if report, err := resp.Location(); err != nil {
			t.Error(err)
		} else if _, page := ann.browse(report.RequestURI(), nil); !strings.Contains(page, "The test has succeeded") {
			t.Errorf("%s shows no report: %s", report, page)
		}
	}
	if _, page := bob.browse("/look/", nil); !strings.Contains(page, "fixed.invalid") || strings.Contains(page, customer.URL) {
		t.Errorf("the other user sees %s", page)
	}
}

// TestPagesBehindAProxyThatRewritesHost: a form of an own page looks like one of
// another site there, until the origin of the pages is trusted. That of another
// site is refused all the same.
func TestPagesBehindAProxyThatRewritesHost(t *testing.T) {
	customer := newSink(t, "")
	c := newCaddy(t)
	front, behind := freeAddress(t), freeAddress(t)
	_, port, _ := strings.Cut(behind, ":")
	caddyfile := func(settings string) string {
		return localWebhooks(c.admin, "") + fmt.Sprintf(`
http://%s {
	reverse_proxy %s {
		header_up Host hooks.internal
	}
}

http://:%s {
	bind 127.0.0.1
	handle_path /settings/webhooks* {
		webhook_settings {
			%s
		}
	}
}
`, front, behind, port, settings)
	}
	visitor := account{t, front, "ann"}
	post := func(origin string) int {
		form := url.Values{"url": {customer.URL}, "events": {"conversation.*"}, "signing": {"hmac"}}
		resp, _ := visitor.browse("/settings/webhooks/new", form, "Origin", origin)
		return resp.StatusCode
	}
	c.start(caddyfile(""))
	if status := post("http://" + front); status != http.StatusForbidden {
		t.Errorf("a form of an own page is answered %d where no origin is trusted, want 403", status)
	}
	if out, err := c.reload(caddyfile("trusted_origins https://app.example http://" + front)); err != nil {
		t.Fatalf("reload: %v\n%s", err, out)
	}
	for origin, want := range map[string]int{
		"http://" + front: http.StatusSeeOther, "https://app.example": http.StatusSeeOther,
		"https://" + front: http.StatusForbidden, "http://app.example": http.StatusForbidden, "https://elsewhere.example": http.StatusForbidden, "null": http.StatusForbidden,
	} {
		if status := post(origin); status != want {
			t.Errorf("a form of a page of %s is answered %d, want %d", origin, status, want)
		}
	}
	if out, err := c.validate(caddyfile("trusted_origins *.example")); err == nil || !strings.Contains(out, "without wildcards") {
		t.Errorf("a wildcard is taken: %v\n%s", err, out)
	}
}
