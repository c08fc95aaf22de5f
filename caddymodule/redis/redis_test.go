package redis

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/manysends/caddy-webhooks/internal/redistest"
)

// What is wrong with the settings is said when the configuration is loaded, and
// no secret with it.
func TestProvision(t *testing.T) {
	authority := redistest.NewAuthority(t)
	certificate, key := authority.Issue(t, "caddy")
	_, otherKey := authority.Issue(t, "other")
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("REDIS_CA", authority.File)
	const url = "rediss://:hunter2@localhost"
	for _, tt := range []struct {
		name string
		r    Redis
		says string // empty: it is taken
	}{
		{"all", Redis{URL: url, TLS: &TLS{CA: []string{"{env.REDIS_CA}"}, Certificate: certificate, Key: key, ServerName: "redis"}}, ""},
		{"nothing but the address", Redis{URL: url}, ""},
		{"TLS with nothing", Redis{URL: url, TLS: &TLS{}}, ""},
		{"Sentinel", Redis{URL: url, Sentinel: &Sentinel{MasterSet: "main"}}, ""},
		{"Sentinel without a name", Redis{URL: url, Sentinel: &Sentinel{Password: "hunter2"}}, "master set is empty"},
		{"a password that is not set", Redis{URL: url, Sentinel: &Sentinel{MasterSet: "main", Password: "{env.NO_SUCH_PASSWORD}"}}, "password is empty"},
		{"TLS without rediss", Redis{URL: "redis://:hunter2@localhost", TLS: &TLS{ServerName: "redis"}}, "rediss://"},
		{"no such authority", Redis{URL: url, TLS: &TLS{CA: []string{empty + "x"}}}, "name a file that is there"},
		{"no authority in the file", Redis{URL: url, TLS: &TLS{CA: []string{empty}}}, "no certificate"},
		{"an authority that is not set", Redis{URL: url, TLS: &TLS{CA: []string{"{env.NO_SUCH_CA}"}}}, "ca is empty"},
		{"a name that is not set", Redis{URL: url, TLS: &TLS{ServerName: "{env.NO_SUCH_NAME}"}}, "server_name is empty"},
		{"no key", Redis{URL: url, TLS: &TLS{Certificate: certificate}}, "name both"},
		{"another's key", Redis{URL: url, TLS: &TLS{Certificate: certificate, Key: otherKey}}, "belong together"},
		{"no certificate", Redis{URL: url, TLS: &TLS{Certificate: empty, Key: key}}, "belong together"},
		{"on_error", Redis{URL: url, WhenAway: "perhaps"}, "deny or allow"},
		{"no URL", Redis{}, "the URL is empty"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.r.Provision(caddy.Context{})
			switch {
			case tt.says == "" && err != nil:
				t.Error(err)
			case tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "hunter2")):
				t.Errorf("the error must say %q and no secret: %v", tt.says, err)
			}
		})
	}
}

// Another setting is another identity, also where only the content of a file
// has changed. It holds no secret.
func TestIdentity(t *testing.T) {
	first, second := redistest.NewAuthority(t), redistest.NewAuthority(t)
	seen := make(map[string]string)
	for name, r := range map[string]*Redis{
		"plain":        {URL: "rediss://:hunter2@localhost"},
		"password":     {URL: "rediss://:hunter3@localhost"},
		"prefix":       {URL: "rediss://:hunter2@localhost", Prefix: "p"},
		"allow":        {URL: "rediss://:hunter2@localhost", WhenAway: "allow"},
		"sentinel":     {URL: "rediss://:hunter2@localhost", Sentinel: &Sentinel{MasterSet: "main"}},
		"its password": {URL: "rediss://:hunter2@localhost", Sentinel: &Sentinel{MasterSet: "main", Password: "hunter2"}},
		"name":         {URL: "rediss://:hunter2@localhost", TLS: &TLS{ServerName: "redis"}},
		"authority":    {URL: "rediss://:hunter2@localhost", TLS: &TLS{CA: []string{first.File}}},
	} {
		if err := r.Provision(caddy.Context{}); err != nil {
			t.Fatal(err)
		}
		if other, twice := seen[r.Identity()]; twice {
			t.Errorf("%s and %s are both %s", name, other, r.Identity())
		}
		if strings.Contains(r.Identity(), "hunter") {
			t.Errorf("the identity holds a secret: %s", r.Identity())
		}
		seen[r.Identity()] = name
		before := r.Identity()
		if err := r.Provision(caddy.Context{}); err != nil || r.Identity() != before {
			t.Errorf("%s has another identity the second time, error %v", name, err)
		}
	}
	text, err := os.ReadFile(second.File)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(first.File, text, 0o600); err != nil {
		t.Fatal(err)
	}
	r := &Redis{URL: "rediss://:hunter2@localhost", TLS: &TLS{CA: []string{first.File}}}
	if err := r.Provision(caddy.Context{}); err != nil {
		t.Fatal(err)
	}
	if other, twice := seen[r.Identity()]; twice {
		t.Errorf("with another authority it is still %s", other)
	}
}
