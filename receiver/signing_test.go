package receiver

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSigning guards what those who sign are told of a provider.
func TestSigning(t *testing.T) {
	template := &Template{Content: "{url}", BodyUnsigned: true, Signature: []Place{{JSON: "signature"}}}
	tests := []struct {
		name              string
		cfg               Config
		standard, withURL bool
		want              Template // Algorithm, Key, Encoding and TimestampFormat alone
	}{
		{"standard", Config{Provider: "standard"}, true, false, Template{Algorithm: "hmac-sha256", Key: "whsec", Encoding: "base64", TimestampFormat: "unix"}},
		{"standard with plain keys", Config{Provider: "gitlab", Key: "raw"}, false, false, Template{Algorithm: "hmac-sha256", Key: "raw", Encoding: "base64", TimestampFormat: "unix"}},
		{"defaults", Config{Provider: "github"}, false, false, Template{Algorithm: "hmac-sha256", Key: "raw", Encoding: "hex", TimestampFormat: "unix"}},
		{"no defaults", Config{Provider: "workos", Key: "hex"}, false, false, Template{Algorithm: "hmac-sha256", Key: "hex", Encoding: "hex", TimestampFormat: "unix_ms"}},
		{"public keys", Config{Provider: "discord"}, false, false, Template{Algorithm: "ed25519", Key: "hex", Encoding: "hex", TimestampFormat: "unix"}},
		{"signs the URL", Config{Provider: "trello"}, false, true, Template{Algorithm: "hmac-sha1", Key: "raw", Encoding: "base64", TimestampFormat: "unix"}},
		{"template", Config{Provider: customName, Template: template}, false, true, Template{Algorithm: "hmac-sha256", Key: "raw", Encoding: "hex", TimestampFormat: "unix"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := tt.cfg.Signing()
			if err != nil {
				t.Fatal(err)
			}
			got := Template{Algorithm: s.Template.Algorithm, Key: s.Template.Key, Encoding: s.Template.Encoding, TimestampFormat: s.Template.TimestampFormat}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("wanted (-) and got (+) differ:\n%s", diff)
			}
			if s.Standard != tt.standard || s.WithURL != tt.withURL {
				t.Errorf("standard %t, with the URL %t", s.Standard, s.WithURL)
			}
		})
	}
	if template.Algorithm != "" {
		t.Error("the template that was given is changed")
	}
	for _, p := range Providers() {
		_, err := Config{Provider: p.Name}.Signing()
		switch row := findProvider(p.Name); {
		case p.Name == customName:
			if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "template is not set") {
				t.Errorf("custom without a template: %v", err)
			}
		case row.standard || row.template != nil:
			if err != nil {
				t.Errorf("%s: %v", p.Name, err)
			}
		case !errors.Is(err, ErrOneWay) || !errors.Is(err, ErrConfig):
			t.Errorf("%s: %v", p.Name, err)
		}
	}
}
