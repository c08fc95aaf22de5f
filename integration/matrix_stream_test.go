package integration

import (
	"testing"

	caddymain "github.com/caddyserver/caddy/v2"
)

// operatorSite is a further site with the settings of all tenants.
func operatorSite(address string) string {
	return "\nhttp://" + address + " {\n\twebhook_settings {\n\t\toperator\n\t}\n}\n"
}

// TestReloadEndsStreams reloads while deliveries are followed through a site and
// through the admin endpoint, and then stops. Caddy waits for requests without a
// limit, so that a stream which went on would hold up a reload, a stop and
// whatever the old configuration has, for ever.
func TestReloadEndsStreams(t *testing.T) {
	onEachHost(t, func(t *testing.T, h host) {
		s := newScene(t, h)
		site := freeAddress(t)
		s.plan.further = operatorSite(site)
		s.start()
		public, admin := over(t, "tcp", site), over(t, "tcp", h.adminAddress())
		open := func() []*liveStream {
			streams := []*liveStream{
				openStream(t, public, "/api/deliveries/stream"),
				openStream(t, public, "/api/deliveries/stream?status=failed"), // says nothing
				openStream(t, admin, "/webhooks/deliveries/stream"),
			}
			id := publish(t, s.site, `{"event":"message.created","data":{}}`)
			streams[0].wait(id)
			streams[2].wait(id)
			return streams
		}
		end := func(streams []*liveStream, why string) {
			for _, stream := range streams {
				stream.ends(why)
			}
		}
		mustLoad(t, h, s.caddyfile(s.plan))
		goroutines := len(h.goroutines())
		for _, sender := range []string{"timeout 20s", "timeout 21s", "timeout 20s"} {
			streams := open()
			s.plan.sender = sender
			mustLoad(t, h, s.caddyfile(s.plan))
			end(streams, "a reload")
			settles(t, "the goroutines", goroutines, h.goroutines)
		}
		streams := open()
		switch h := h.(type) {
		case inside:
			if err := caddymain.Load([]byte(`{"admin": {"listen": "`+h.admin+`", "config": {"persist": false}}, `+quiet+`}`), true); err != nil {
				t.Fatal(err)
			}
			settles(t, "the goroutines without the app", 0, h.goroutines)
		case outside:
			h.stop()
		}
		end(streams, "the end of the app")
	})
}
