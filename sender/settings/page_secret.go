package settings

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// secretRow is one of the secrets that sign.
type secretRow struct {
	Kind           string
	Secret         string // empty unless it is revealed
	Newest         bool
	Since, Until   *moment
	FromNow        bool // it has been made just now
	PublicKey      string
	WithoutEndLeft bool
}

// secretDetail is the page of an endpoint's secrets.
type secretDetail struct {
	endpointHead
	Rows       []secretRow
	Revealed   bool
	CanReveal  bool
	Overlap    string
	Overlaps   []formatChoice
	Signing    string
	Given      string
	Errors     map[string]string
	PublicKeys []string
}

var overlapChoices = []formatChoice{
	{"24h", "24 hours"}, {"1h", "1 hour"}, {"7d", "7 days"}, {"30d", "30 days"}, {"0s", "none: it ends at once"},
}

func secretPage(c *call) error {
	return c.secretPage(http.StatusOK, &secretDetail{})
}

// signing is the endpoint of the page and the secrets that it is signed with.
func (c *call) signing() (info sender.EndpointInfo, secrets []sender.EndpointSecret, err error) {
	if info, err = c.Endpoint(c.context(), c.tenant, c.id()); err == nil {
		secrets, err = c.Secrets(c.context(), c.tenant, c.id())
	}
	return info, secrets, err
}

// secretPage shows which secrets sign and until when.
func (c *call) secretPage(status int, d *secretDetail) error {
	info, secrets, err := c.signing()
	if err != nil {
		return err
	}
	d.endpointHead = c.head(&info, "secret")
	d.PublicKeys = info.PublicKeys
	d.CanReveal = c.mayReveal()
	d.Overlaps = overlapChoices
	made := c.takeSecret(info.ID)
	for i, s := range secrets {
		row := secretRow{Kind: "HMAC-SHA256 (whsec_)", Newest: i == 0, Since: c.moment(s.CreatedAt), Until: c.moment(s.ExpiresAt)}
		if strings.HasPrefix(s.Secret, "whsk_") {
			row.Kind = "Ed25519 (whsk_)"
		}
		row.FromNow = made != "" && s.Secret == made
		if d.Revealed || row.FromNow {
			row.Secret = s.Secret
		}
		d.Rows = append(d.Rows, row)
	}
	title := "Secret key"
	if len(d.Errors) > 0 {
		title = "Error: " + title
	}
	return c.page(status, "secret.html", title, "endpoints", d)
}

// takeSecret is a secret that was made just now, to be shown once; empty when there
// is none. It is asked for last, so that no error costs it, and not for a HEAD,
// whose answer nobody is shown.
func (c *call) takeSecret(id string) string {
	if c.r.Method == http.MethodHead {
		return ""
	}
	secret, _ := c.handler.kept.take(c.Now(), c.keptKey("secret", id)).(string)
	return secret
}

// mayReveal tells whether secrets that are there already are shown.
func (c *call) mayReveal() bool { return !c.handler.ReadOnly && !c.handler.HideSecrets }

// revealFromForm shows the secrets in answer to the form itself, so that no
// link leads to them.
func revealFromForm(c *call) error {
	if _, err := c.form(); err != nil {
		return err
	}
	return c.secretPage(http.StatusOK, &secretDetail{Revealed: true})
}

func rotateFromForm(c *call) error {
	values, err := c.form()
	if err != nil {
		return err
	}
	d := &secretDetail{Overlap: values.Get("overlap"), Signing: values.Get("signing"), Given: strings.TrimSpace(values.Get("secret")), Errors: make(map[string]string)}
	var r sender.Rotation
	overlap, err := webhook.ParseDuration(d.Overlap)
	switch {
	case d.Overlap == "":
	case err == nil && overlap < 0:
		err = errors.New("it is negative: choose one of the list")
	case overlap == 0:
		r.Overlap = -1 // to the sender, zero is the default
	default:
		r.Overlap = overlap
	}
	if d.Overlap != "" && err != nil {
		d.Errors["overlap"] = sentence(err.Error())
	}
	switch d.Signing {
	case "": // of the kind that there is
	case signingGiven:
		if r.Secret = d.Given; r.Secret == "" {
			d.Errors["secret"] = "It is empty: enter it, or have one generated."
		}
	default:
		if err := signing(&r.Signing)(jsonText(d.Signing)); err != nil {
			d.Errors["secret"] = sentence(err.Error())
		}
	}
	if len(d.Errors) > 0 {
		return c.secretPage(http.StatusUnprocessableEntity, d)
	}
	info, made, err := c.RotateSecret(c.context(), c.tenant, c.id(), r)
	if err != nil {
		if e := explain(err, "webhook"); e.status == http.StatusUnprocessableEntity {
			d.Errors["secret"] = sentence(strings.TrimPrefix(e.detail, e.field+": "))
			return c.secretPage(e.status, d)
		}
		return err
	}
	if made != "" && r.Secret == "" {
		c.handler.kept.put(c.Now(), c.keptKey("secret", info.ID), made)
	}
	return c.redirect("endpoints/" + url.PathEscape(info.ID) + "/secret?notice=rotated")
}

// keptKey names a result for whoever is asking.
func (c *call) keptKey(kind, id string) keptKey { return keptKey{c.tenant, kind, id} }
