package receiver

import (
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"
)

func TestTemplateValidation(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Template)
		want   []string
	}{
		{"good", func(*Template) {}, nil},
		{"algorithm", func(t *Template) { t.Algorithm = "md5" }, []string{`template.algorithm "md5" is unknown: use one of ecdsa-p256-sha256, ed25519, hmac-sha1, `}},
		{"key", func(t *Template) { t.Key = "base32" }, []string{`template.key "base32" does not go with hmac-sha256: use one of raw, hex, base64, whsec, sha256`}},
		{"key of another algorithm", func(t *Template) { t.Algorithm, t.Key = "ed25519", "raw" }, []string{`template.key "raw" does not go with ed25519`}},
		{"encoding", func(t *Template) { t.Encoding = "base58" }, []string{`template.encoding "base58" is unknown`}},
		{"format", func(t *Template) { t.TimestampFormat = "rfc1123" }, []string{`template.timestamp_format "rfc1123" is unknown`}},
		{"format alone", func(t *Template) { t.Content, t.Timestamp, t.TimestampFormat = "{body}", nil, "unix" }, []string{"template.timestamp_format is set and timestamp is not"}},
		{"no signature", func(t *Template) { t.Signature = nil }, []string{"template.signature is not set"}},
		{"empty place", func(t *Template) { t.Signature = []Place{{}} }, []string{"template.signature[0] sets 0 of header, query and json"}},
		{"two in one place", func(t *Template) { t.ID = append(t.ID, Place{Header: "A", JSON: "b"}) }, []string{"template.id[1] sets 2 of header, query and json"}},
		{"header name", func(t *Template) { t.Type = []Place{{Header: "X Y"}} }, []string{`template.type[0] has the header name "X Y"`}},
		{"numbered", func(t *Template) { t.Type = []Place{{Header: "X-{n}"}} }, []string{`template.type[0] has {n} in the header name`}},
		{"JSON path", func(t *Template) { t.Type = []Place{{JSON: "a..b"}} }, []string{`template.type[0] has the JSON path "a..b"`}},
		{"open brace", func(t *Template) { t.Content = "{body" }, []string{"template.content opens a brace at position 1 that is not closed"}},
		{"closed brace", func(t *Template) { t.Content = "{body}}" }, []string{"template.content closes a brace at position 7 that was not opened"}},
		{"part", func(t *Template) { t.Content = "{body}{nonce}" }, []string{"template.content holds {nonce}, which is unknown"}},
		{"header part", func(t *Template) { t.Content = "{body}{header.a b}" }, []string{"template.content holds {header.a b}, which is unknown"}},
		{"body unsigned", func(t *Template) { t.Content = "{id}.{timestamp}" }, []string{"template.content has neither {body} nor {body_sha256}, so that anyone could change the body"}},
		{"body unsigned and known", func(t *Template) { t.Content, t.BodyUnsigned = "{id}.{timestamp}", true }, nil},
		{"body signed after all", func(t *Template) { t.BodyUnsigned = true }, []string{"template.body_unsigned is set and content has the body"}},
		{"body twice", func(t *Template) { t.Content = "{id}.{timestamp}.{body}.{body}" }, []string{"template.content has {body} twice"}},
		{"no timestamp", func(t *Template) { t.Timestamp = nil }, []string{"template.content has {timestamp} and timestamp is not set"}},
		{"no ID", func(t *Template) { t.ID = nil }, []string{"template.content has {id} and id is not set"}},
		{"unsigned timestamp", func(t *Template) { t.Content = "{id}.{body}" }, []string{"template.timestamp[0] is not signed, so that it proves nothing"}},
		{"timestamp as a header", func(t *Template) { t.Content = "{header.x-time}.{body}" }, nil},
		{"timestamp in the body", func(t *Template) { t.Content, t.Timestamp = "{body}", []Place{{JSON: "at"}} }, nil},
		{"timestamp in a body that is not signed", func(t *Template) {
			t.Content, t.Timestamp, t.BodyUnsigned = "{id}", []Place{{JSON: "at"}}, true
		}, []string{"template.timestamp[0] is not signed"}},
		{"token", func(t *Template) { *t = Template{Algorithm: "token", Signature: t.Signature} }, nil},
		{"token with content", func(t *Template) { t.Algorithm = "token" }, []string{"template.algorithm token signs nothing"}},
		{"many members", func(t *Template) {
			for i := range maxJSONPaths + 1 {
				t.Type = append(t.Type, Place{JSON: eventID(i)})
			}
		}, []string{"template.the places and the content name 33 JSON members"}},
		{"several", func(t *Template) { t.Algorithm, t.Encoding, t.Signature = "a", "b", nil }, []string{"algorithm", "encoding", "signature"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := customConfig(c.change).Validate()
			var got []string
			if err != nil {
				got = strings.Split(err.Error(), "\n")
			}
			if len(got) != len(c.want) {
				t.Fatalf("%d problems, want %d: %q", len(got), len(c.want), got)
			}
			for i := range got {
				if !strings.Contains(got[i], c.want[i]) {
					t.Errorf("problem %q does not say %q", got[i], c.want[i])
				}
			}
		})
	}
}

// TestProviderSettings is about what goes with a provider in a configuration.
func TestProviderSettings(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  Config
		want string
	}{
		{"no template", Config{Provider: "custom", Secrets: []string{"s"}}, "template is not set: provider custom needs it"},
		{"template of another", Config{Provider: "github", Secrets: []string{"s"}, Template: &Template{}}, "template goes with provider custom only"},
		{"tolerance without a time", Config{Provider: "github", Secrets: []string{"s"}, Tolerance: 1}, "tolerance is set, but the signature of provider github covers no time of sending"},
		{"tolerance off without a time", Config{Provider: "github", Secrets: []string{"s"}, Tolerance: -1}, ""},
		{"tolerance of a body", Config{Provider: "manysends_body", Secrets: []string{testSecret}, Tolerance: 1}, "tolerance is set, but the signature of provider manysends_body"},
		{"parameters", Config{Provider: "github", Secrets: []string{"s"}, Parameters: map[string]string{"b": "", "a": ""}}, "parameters.a is unknown: provider github takes no parameters\ninvalid configuration: parameters.b is unknown"},
		{"near miss", Config{Provider: "gitlap"}, "use one of gitea, github, gitlab, gitlab_token, or custom"},
		{"key", Config{Provider: "github", Secrets: []string{"s"}, Key: "hex"}, "secrets[0]: unusable key: it must be hex"},
		{"unknown key", Config{Provider: "github", Secrets: []string{"s"}, Key: "rot13"}, `key "rot13" does not go with hmac-sha256`},
		{"key of a body", Config{Provider: "manysends_body", Secrets: []string{testSecret}, Key: "raw"}, `key is raw, and secrets of manysends_body start with "whsec_"`},
		{"empty key", Config{Provider: "svix", Secrets: []string{"whsec_"}}, "secrets[0]: unusable key: it is empty once decoded"},
		{"url", Config{Provider: "square", Secrets: []string{"s"}, URL: "hooks.example.com/in"}, `url is "hooks.example.com/in": write the whole address`},
		{"url with a fragment", Config{Provider: "square", Secrets: []string{"s"}, URL: "https://hooks.example.com/#in"}, "write the whole address"},
		{"private key", Config{Provider: "sendgrid", Secrets: []string{"-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----"}}, "it is the sender's private key"},
		{"key of another kind", Config{Provider: "sendgrid", Secrets: []string{spkiOf(ed25519.NewKeyFromSeed(make([]byte, 32)).Public())}}, "it is a Ed25519 key, and the algorithm takes an ECDSA P-256 public key"},
		{"public key of all zeros", Config{Provider: "discord", Secrets: []string{strings.Repeat("00", 32)}}, "anybody can make signatures for this public key"},
		{"short public key", Config{Provider: "discord", Secrets: []string{"abcd"}}, "it must be the hex of the 32 bytes of an Ed25519 public key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.cfg.Validate()
			if got := errors.Is(err, ErrConfig); got != (c.want != "") {
				t.Fatalf("error %v", err)
			}
			if err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %q does not say %q", err, c.want)
			}
		})
	}

	var problems []string
	report := func(format string, _ ...any) { problems = append(problems, format) }
	needy := &provider{Provider: Provider{Name: "x", Keyless: true, Parameters: []Parameter{{Name: "a", Required: true}, {Name: "b"}}}}
	Config{Parameters: map[string]string{"a": "1", "b": "2"}}.validateParameters(needy, report)
	if len(problems) != 0 {
		t.Errorf("good parameters: %q", problems)
	}
	Config{Parameters: map[string]string{"c": "1"}}.validateParameters(needy, report)
	if len(problems) != 2 {
		t.Errorf("one missing and one unknown parameter: %q", problems)
	}
	Config{Parameters: map[string]string{"a": "1", "b": " "}}.validateParameters(needy, report)
	if len(problems) != 3 {
		t.Errorf("a parameter of white space: %q", problems)
	}
	Config{Secrets: []string{"s"}}.validateSecrets(needy, schemeOptions{}, report)
	if len(problems) != 4 {
		t.Errorf("a secret for a provider that takes none: %q", problems)
	}
}
