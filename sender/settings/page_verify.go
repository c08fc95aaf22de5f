package settings

import (
	"bytes"
	"embed"
	"net/http"
	"strings"
	"time"

	"github.com/manysends/caddy-webhooks/diagnose"
	"github.com/manysends/caddy-webhooks/sender"
)

//go:embed snippets
var snippetFiles embed.FS

// snippet is how a delivery is verified in one language.
type snippet struct {
	ID, Language, Text string
}

// snippetLanguages are the languages that there are snippets in.
var snippetLanguages = []snippet{
	{ID: "js", Language: "JavaScript"}, {ID: "py", Language: "Python"}, {ID: "go", Language: "Go"}, {ID: "php", Language: "PHP"},
	{ID: "rb", Language: "Ruby"}, {ID: "java", Language: "Java"}, {ID: "sh", Language: "Shell"},
}

// noSecret stands in a snippet for a secret that is not shown.
const noSecret = "whsec_YOUR_SECRET_KEY" //nolint:gosec // it stands for one

// verification is the page that tells how deliveries are verified.
type verification struct {
	endpointHead
	Signed, Shared bool
	PublicKeys     []string
	Snippets       []snippet
	Revealed       bool
	CanReveal      bool
	Pasted         string
	CheckAge       bool
	Result         *verificationResult
	Fault          string
}

// verificationResult is what was found out about a request that was pasted.
type verificationResult struct {
	OK            bool
	Cause, Remedy string
	Checks        []trialCheck
	Note          string
}

func verifyPage(c *call) error { return c.verifyPage(http.StatusOK, new(verification)) }

// verifyPage shows how deliveries of an endpoint are verified.
func (c *call) verifyPage(status int, v *verification) error {
	info, secrets, err := c.signing()
	if err != nil {
		return err
	}
	v.endpointHead = c.head(&info, "verify")
	v.Signed, v.PublicKeys = info.Signed, info.PublicKeys
	secret := noSecret
	for i := len(secrets) - 1; i >= 0; i-- { // the newest comes first
		if strings.HasPrefix(secrets[i].Secret, "whsec_") {
			v.Shared = true
			if v.Revealed {
				secret = secrets[i].Secret
			}
		}
	}
	v.CanReveal = c.mayReveal() && v.Shared
	for _, s := range snippetLanguages {
		text, _ := snippetFiles.ReadFile("snippets/verify." + s.ID) // that it is there is tested
		s.Text = strings.NewReplacer("{{secret}}", secret, "{{url}}", info.URL).Replace(string(text))
		v.Snippets = append(v.Snippets, s)
	}
	return c.page(status, "verify.html", "How to verify", "endpoints", v)
}

// revealSnippets shows the snippets with the secret filled in.
func revealSnippets(c *call) error {
	if _, err := c.form(); err != nil {
		return err
	}
	return c.verifyPage(http.StatusOK, &verification{Revealed: true})
}

// explainFromForm says whether a request that was pasted is one of the
// endpoint's, and if not, why.
func explainFromForm(c *call) error {
	const shown = 8 << 10
	values, err := c.form()
	if err != nil {
		return err
	}
	text := values.Get("request")
	v := &verification{CheckAge: values.Get("age") != ""}
	v.Pasted, _ = within(text, shown)
	if strings.TrimSpace(text) == "" {
		v.Fault = "It is empty: paste the request with its headers, a blank line, and its body."
		return c.verifyPage(http.StatusUnprocessableEntity, v)
	}
	request, err := diagnose.ParseRequest([]byte(text))
	if err != nil {
		v.Fault = sentence(visible(strings.TrimPrefix(err.Error(), diagnose.ErrRequest.Error()+": ")))
		return c.verifyPage(http.StatusUnprocessableEntity, v)
	}
	keys, err := c.verifyingKeys()
	if err != nil {
		return err
	}
	tolerance := time.Duration(0)
	if v.CheckAge {
		tolerance = 5 * time.Minute
	}
	// It can take a second of a processor, which the deliveries of others need.
	if !c.handler.explaining.TryLock() {
		v.Fault = "Another request is being looked into just now: try again in a moment."
		return c.verifyPage(http.StatusTooManyRequests, v)
	}
	defer c.handler.explaining.Unlock()
	now := c.Now()
	explanation := diagnose.Standard(keys, request.Header, request.Body, now, tolerance)
	note := ""
	if !explanation.Verified && bytes.Contains(request.Body, []byte{'\n'}) {
		// The field of a form has line breaks of one kind only.
		other := diagnose.Standard(keys, request.Header, bytes.ReplaceAll(request.Body, []byte{'\n'}, []byte("\r\n")), now, tolerance)
		if other.Verified {
			explanation, note = other, "The lines of its body end in CR and LF, which pasting has changed and which was undone."
		}
	}
	v.Result = resultOf(&explanation, note)
	return c.verifyPage(http.StatusOK, v)
}

// verifyingKeys are what deliveries of the endpoint are verified with.
func (c *call) verifyingKeys() ([]string, error) {
	secrets, err := c.Secrets(c.context(), c.tenant, c.id())
	if err != nil {
		return nil, err
	}
	info, err := c.Endpoint(c.context(), c.tenant, c.id())
	if err != nil {
		return nil, err
	}
	keys := sharedSecrets(secrets)
	return append(keys, info.PublicKeys...), nil
}

func sharedSecrets(secrets []sender.EndpointSecret) (list []string) {
	for _, s := range secrets {
		if strings.HasPrefix(s.Secret, "whsec_") {
			list = append(list, s.Secret)
		}
	}
	return list
}

// verificationNames are what was looked at, in words.
var verificationNames = map[string]string{
	"request": "Request", "secret": "Secret key", "signature": "Signature", "id": "Event ID", "timestamp": "Timestamp", "length": "Length",
	"match": "Match", "age": "Age", "body_signature": "Signature in the body",
}

func resultOf(e *diagnose.Explanation, note string) *verificationResult {
	r := &verificationResult{OK: e.Verified, Cause: visible(e.Cause), Remedy: visible(e.Remedy), Note: note}
	for _, check := range e.Checks {
		row := trialCheck{Name: verificationNames[check.Name], Detail: visible(check.Text), State: badge{"ok", "good", "Passed"}}
		if !check.OK {
			row.State = badge{"fail", "bad", "Failed"}
		}
		r.Checks = append(r.Checks, row)
	}
	return r
}
