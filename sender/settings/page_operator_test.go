package settings_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestPagesOfTheOperator guards that everybody's webhooks are shown to the
// operator, with whose they are, or one tenant's alone.
func TestPagesOfTheOperator(t *testing.T) {
	r := newRig(t)
	own := r.create("/of-acme", `,"active":true,"events":["conversation.*"]`)
	r.publish("evt_acme", "conversation.created", `{}`)
	delivery := r.delivery("evt_acme", 1)
	r.as("globex")
	r.create("/of-globex", `,"active":true`)
	r.publish("evt_globex", "message.created", `{}`)
	r.delivery("evt_globex", 1)
	r.Tenant, r.Operator = nil, true

	r.browse("/").has("/of-acme", "/of-globex", `scope="col">Tenant`, "acme", "globex")
	r.browse("/?tenant=globex").has("/of-globex", `href="./deliveries?tenant=globex"`, `href="./new?tenant=globex"`).lacks("/of-acme")
	r.browse("/?tenant=").has("/of-acme", "/of-globex") // a form sends an empty field
	r.browse("/deliveries").has("conversation.created", `<td class="wrap">acme</td>`, `<td class="wrap">globex</td>`)
	r.browse("/deliveries?tenant=acme").has("stream?tenant=acme", `name="tenant" value="acme"`).lacks(`<td class="wrap">globex</td>`)
	r.browse("/deliveries/"+delivery).has("acme", "events/evt_acme?tenant=acme")
	r.browse("/events/evt_acme?tenant=acme").has(delivery)
	r.browse("/endpoints/" + own).has("Tenant <code>acme</code>")
	r.browse("/overview?tenant=globex").has("of-globex").lacks("of-acme")
	r.browse("/").has(`<label for="tenant">`)
	r.browse("/endpoints/" + own).lacks(`<label for="tenant">`)
	r.browse("/overview").has("of-globex", "of-acme")

	// What is made is the named tenant's.
	r.browse("/new?tenant=initech").has(`id="f-tenant" name="tenant" value="initech"`)
	made := r.post("/new", r.webhookForm("/made", "tenant", "initech"))
	r.follow("/new", made).has("Tenant <code>initech</code>")
	r.post("/new", r.webhookForm("/made", "tenant", "*")).want(http.StatusUnprocessableEntity).has("means all tenants")
	r.browse("/?tenant=initech").has("/made").lacks("/of-")

	// A replay is of one tenant's deliveries, or of everybody's.
	replay := url.Values{"status": {"succeeded"}, "count": {"1"}}
	r.post("/replay", replay).has("<b>2</b> deliveries")
	replay.Set("tenant", "acme")
	r.post("/replay", replay).has("<b>1</b> delivery is", `name="tenant" value="acme"`)
	replay.Del("count")
	started := r.post("/replay", replay)
	path, _, _ := strings.Cut(resolve(t, "/replay", started.header.Get("Location")), "?")
	until(t, "the replay has ended", func() bool { return strings.Contains(r.browse(path).body, "Done") })
	r.browse("/replays").has("acme", "1 of 1")
	r.browse("/replays?tenant=globex").has("No replays")
	r.as("")
	r.post("/endpoints/"+own+"/deactivate", nil).want(http.StatusSeeOther)
}
