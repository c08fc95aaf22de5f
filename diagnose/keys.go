package diagnose

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"

	"github.com/manysends/caddy-webhooks/webhook"
)

// key is a secret that was read in some way.
type key struct {
	bytes         []byte
	mistake       Mistake // empty for the way that the rule has
	cause, remedy string
}

// maxKeys is how many ways to read secrets are tried.
const maxKeys = 160

// keysOf reads secrets as the rule has it, and then in other ways.
func keysOf(secrets []string, form string) []key {
	var keys []key
	for _, s := range secrets {
		if read, ok := readAs(s, form); ok {
			keys = append(keys, key{bytes: read})
		}
	}
	for i, s := range secrets {
		name := "The secret"
		if len(secrets) > 1 {
			name = fmt.Sprintf("Secret %d", i+1)
		}
		keys = append(keys, misread(name, s, form)...)
	}
	seen := make(map[string]bool, len(keys))
	unique := keys[:0]
	for _, k := range keys {
		if len(k.bytes) > 0 && !seen[string(k.bytes)] && len(unique) < maxKeys {
			seen[string(k.bytes)] = true
			unique = append(unique, k)
		}
	}
	return unique
}

// formStandard is the form of secrets that are read as strictly as receivers do:
// base64 behind whsec_, of a length that is allowed.
const formStandard = "standard"

// forms are the ways in which secrets are written, and what each means to say.
var forms = []struct{ name, meaning string }{
	{"raw", "the bytes of the text as it is"},
	{"whsec", "the base64 behind whsec_"},
	{"base64", "base64"},
	{"hex", "hex"},
	{"sha256", "the SHA-256 of the text"},
}

func meaningOf(form string) string {
	if form == formStandard {
		form = "whsec"
	}
	for _, f := range forms {
		if f.name == form {
			return f.meaning
		}
	}
	return forms[0].meaning
}

// readAs reads a secret that is written in a form.
func readAs(s, form string) ([]byte, bool) {
	switch form {
	case "hex":
		b, err := hex.DecodeString(s)
		return b, err == nil
	case "base64":
		return readBase64(s)
	case "whsec":
		return readBase64(strings.TrimPrefix(strings.TrimPrefix(s, "v1,"), "whsec_"))
	case formStandard:
		if _, err := webhook.ParseSecret(s); err != nil {
			return nil, false
		}
		return readAs(s, "whsec")
	case "sha256":
		sum := sha256.Sum256([]byte(s))
		return sum[:], true
	}
	return []byte(s), true
}

// readBase64 reads base64 in either alphabet, with or without padding.
func readBase64(s string) ([]byte, bool) {
	s = strings.TrimRight(s, "=")
	if strings.ContainsAny(s, "\r\n") {
		return nil, false
	}
	if b, err := base64.RawStdEncoding.DecodeString(s); err == nil {
		return b, true
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	return b, err == nil
}

// misread reads a secret in the ways in which people get it wrong.
func misread(name, s, form string) []key {
	var keys []key
	add := func(text, as string, mistake Mistake, cause, remedy string) {
		if read, ok := readAs(text, as); ok {
			keys = append(keys, key{read, mistake, cause, remedy})
		}
	}
	bare := strings.Trim(s, " \t\r\n\"'`")
	if bare != s {
		add(bare, form, MistakeSecretSpace,
			name+" was given with white space or quotes around it, which are not part of it.",
			"Give the secret without them; a file may be written with: printf %s \"$SECRET\" > file.")
	}
	for _, f := range forms {
		if f.name == form {
			continue
		}
		if form == formStandard && f.name == "whsec" {
			mistake, cause := strictly(name, bare)
			add(bare, f.name, mistake, cause, "Give it exactly as the sender shows it, whsec_ and base64, or have both sides use a new one.")
			continue
		}
		add(bare, f.name, MistakeSecretForm,
			fmt.Sprintf("%s was used as %s by whoever signed, and is read as %s here.", name, f.meaning, meaningOf(form)),
			fmt.Sprintf("Have both sides read the secret in the same way: decode it in the sender as %s, or say here that the key is written as %s.", meaningOf(form), f.name))
	}
	unprefixed := strings.TrimPrefix(strings.TrimPrefix(bare, "v1,"), "whsec_")
	if unprefixed != bare {
		add(unprefixed, "raw", MistakeSecretForm,
			name+" was used without whsec_, but as text: whoever signed did not decode the base64.",
			"Have the signing side decode the base64 behind whsec_ to bytes, and use those as the key.")
		add(unprefixed, "hex", MistakeSecretForm,
			name+" was read as hex behind whsec_ by whoever signed.",
			"Have the signing side decode what is behind whsec_ as base64.")
	} else {
		add("whsec_"+bare, "raw", MistakeSecretForm,
			name+" was used with whsec_ before it by whoever signed.",
			"Give the secret whole, with its prefix, on both sides.")
	}
	for _, end := range []string{"\n", "\r\n"} {
		add(bare+end, "raw", MistakeSecretSpace,
			name+" was used with a line break behind it by whoever signed.",
			"Take the line break out of where the signing side reads its secret: printf %s instead of echo, or trim it.")
	}
	if decoded, ok := readBase64(bare); ok {
		add(strings.TrimSpace(string(decoded)), form, MistakeSecretForm,
			name+" is in base64 once more than it should be, as Kubernetes shows secrets.",
			"Decode the base64 once before you give it here.")
	}
	if decoded, err := url.QueryUnescape(bare); err == nil && decoded != bare {
		add(decoded, form, MistakeSecretForm,
			name+" was given in the form that it has in a URL (%2B for +).",
			"Give it as the sender shows it.")
	}
	for _, other := range []string{strings.ToLower(bare), strings.ToUpper(bare)} {
		add(other, "raw", MistakeSecretForm,
			name+" was used in other letter case by whoever signed.",
			"Use it with exactly the capital and small letters that the sender shows.")
	}
	return keys
}

// strictly says what is wrong with the right secret where it is not read.
func strictly(name, s string) (mistake Mistake, cause string) {
	_, err := webhook.ParseSecret(s)
	switch {
	case err == nil: // which is another mistake
		return MistakeSecretForm, name + " is the right one, but it is not given alone."
	case !strings.HasPrefix(s, "whsec_"):
		return MistakeSecretForm, name + " was given without the whsec_ that it begins with."
	}
	return MistakeSecretUnusable, name + " is the right one, but it cannot be used: " + sentence(strings.TrimPrefix(err.Error(), webhook.ErrKey.Error()+": "))
}

// foreignKeys are beginnings of keys that are not secrets of webhooks.
var foreignKeys = []struct{ prefix, what string }{
	{"whpk_", "a verifying key, the public half of a signing key"},
	{"whsk_", "a private signing key"},
	{"-----BEGIN PUBLIC KEY", "a public key"},
	{"-----BEGIN CERTIFICATE", "a certificate"},
	{"-----BEGIN", "a private key or another PEM file"},
	{"ssh-", "an SSH key"},
	{"sk_live_", "a secret API key of live mode"},
	{"sk_test_", "a secret API key of test mode"},
	{"rk_live_", "a restricted API key of live mode"},
	{"rk_test_", "a restricted API key of test mode"},
	{"pk_live_", "a public API key of live mode"},
	{"pk_test_", "a public API key of test mode"},
	{"ghp_", "a personal access token of GitHub"},
	{"github_pat_", "a personal access token of GitHub"},
	{"xoxb-", "a bot token of Slack"},
	{"xapp-", "an app token of Slack"},
	{"shpat_", "an access token of Shopify"},
	{"we_", "the ID of a webhook endpoint"},
	{"https://", "a URL"},
	{"http://", "a URL"},
}

// explainSecrets says whether the secrets look like ones.
func (r *Rule) explainSecrets(e *Explanation) {
	switch {
	case len(r.Public) > 0 && len(r.Secrets) == 0:
		e.add(checkSecret, true, fmt.Sprintf("There %s that can be used.", counted(len(r.Public), "public key")))
		return
	case len(r.Secrets) == 0:
		e.fail(checkSecret, MistakeSecretUnusable, "There is no secret to check the signature with.", "Give the secret that the sender shows for this endpoint.")
		return
	}
	for i, s := range r.Secrets {
		name := r.secretName(i)
		if what := foreignKind(s); what != "" && !e.Verified {
			e.add(checkSecret, false, fmt.Sprintf("%s is %s, not the secret of a webhook.", name, what))
			continue
		}
		if _, ok := readAs(s, r.Key); !ok || s == "" {
			e.add(checkSecret, false, fmt.Sprintf("%s cannot be read as %s.", name, meaningOf(r.Key)))
		}
	}
	if len(e.Checks) == 0 {
		e.add(checkSecret, true, fmt.Sprintf("There %s that can be read.", counted(len(r.Secrets), "secret")))
	}
}

func foreignKind(s string) string {
	s = strings.TrimLeft(s, " \t\r\n\"'")
	for _, f := range foreignKeys {
		if strings.HasPrefix(s, f.prefix) {
			return f.what
		}
	}
	return ""
}

// blameSecrets blames secrets that cannot be ones of a webhook.
func (r *Rule) blameSecrets(e *Explanation) {
	const remedy = "Give the signing secret that the sender shows for exactly this endpoint, as it is shown."
	for i, s := range r.Secrets {
		if what := foreignKind(s); what != "" {
			e.blame(MistakeSecretKind, fmt.Sprintf("%s is %s, not the secret of a webhook.", r.secretName(i), what), remedy)
			return
		}
		if _, ok := readAs(s, r.Key); !ok || s == "" {
			e.blame(MistakeSecretUnusable, fmt.Sprintf("%s cannot be read as %s.", r.secretName(i), meaningOf(r.Key)), remedy)
			return
		}
	}
}

// secretName is what a secret is called.
func (r *Rule) secretName(i int) string {
	if len(r.Secrets) == 1 {
		return "The secret"
	}
	return fmt.Sprintf("Secret %d", i+1)
}
