package settings_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
)

// TestNothingCostsASecretThatIsShownOnce guards that a new secret is there for the
// first page that does show it: one that could not be made, for want of the store,
// does not count, nor does one that was asked for with HEAD.
func TestNothingCostsASecretThatIsShownOnce(t *testing.T) {
	r := newRig(t)
	made := r.post("/new", r.webhookForm("/hooks"))
	page, _, _ := strings.Cut(resolve(t, "/new", made.header.Get("Location")), "?")
	r.store.fail(errors.New("the disk is away"))
	r.browse(page).want(http.StatusServiceUnavailable)
	r.store.fail(nil)
	send(t, r.Handler, "HEAD", page, "", "Accept", "text/html").want(http.StatusOK)
	r.browse(page).want(http.StatusOK).has(`id="new-secret">whsec_`)
	r.browse(page).want(http.StatusOK).lacks("new-secret")
}
