package loadtest

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/manysends/caddy-webhooks/integration/internal/caddyproc"
)

// Scene is a Caddy between publishers and a customer's site, with a receiver
// in front of an application.
type Scene struct {
	*caddyproc.Process

	Ledger     *Ledger
	Site       *Site
	Publishers *Publishers
	Address    string // where Caddy serves
	Settings   string // further settings of the sender, a line each
	Store      string // the file

	behaviour map[string]Behaviour
}

// NewScene makes one of a program and of endpoints, whose site it starts; Caddy
// is started by the caller. Everything is kept in the folder home.
func NewScene(binary, home string, endpoints map[string]Behaviour) (*Scene, error) {
	admin, err := caddyproc.FreeAddress()
	if err != nil {
		return nil, err
	}
	address, err := caddyproc.FreeAddress()
	if err != nil {
		return nil, err
	}
	ledger := new(Ledger)
	behaviour := maps.Clone(endpoints)
	behaviour[Application] = Behaviour{}
	site, err := NewSite(ledger, behaviour)
	if err != nil {
		return nil, err
	}
	return &Scene{
		Process: &caddyproc.Process{Binary: binary, Home: home, Admin: admin},
		Ledger:  ledger, Site: site, Address: address, behaviour: endpoints,
		Store: filepath.Join(home, "webhooks.db"),
		Publishers: &Publishers{
			URL: "http://" + address + "/events", Ledger: ledger, Count: 4, Pause: 20 * time.Millisecond, Data: 500,
			Endpoints:   slices.Sorted(maps.Keys(endpoints)),
			ReceiverURL: "http://" + address + "/hooks", Received: &Received{Ledger: ledger},
		},
	}, nil
}

// Retry is the schedule of the scenes' endpoints: often, so that what fails at
// times comes soon, and for long, so that nothing is given up.
var Retry = "retry " + strings.Repeat("200ms ", 10) + strings.Repeat("1s ", 300)

// Caddyfile is the scene's configuration. Mark goes into a header, so that two
// with different marks are different.
func (s *Scene) Caddyfile(mark string) string {
	var endpoints strings.Builder
	for _, name := range s.Publishers.Endpoints {
		fmt.Fprintf(&endpoints, "\t\tendpoint %s http://%s/%s {\n\t\t\tsecret %s\n\t\t\theader X-Mark %q\n", name, s.Site.Address(), name, Secret, mark)
		if s.behaviour[name].Ordered {
			endpoints.WriteString("\t\t\tordering strict\n")
		}
		endpoints.WriteString("\t\t}\n")
	}
	return fmt.Sprintf(`{
	admin %s
	persist_config off
	webhooks {
		store sqlite %s
		%s
		%s
		egress {
			allow 127.0.0.1
			allow_http
		}
%s	}
}

http://%s {
	handle /events {
		webhook_publish
	}
	handle /hooks {
		webhook_receive standard {
			name hooks
			secret %s
			dedupe {
				persist %s
			}
		}
		rewrite * /%s
		reverse_proxy %s
	}
}
`, s.Admin, s.Store, Retry, s.Settings, endpoints.String(), s.Address, Secret, filepath.Join(s.Home, "hooks.seen"), Application, s.Site.Address())
}

// AwaitDelivered waits until everything promised has come, or says how much has
// not.
func (s *Scene) AwaitDelivered(patience time.Duration) error {
	for deadline := time.Now().Add(patience); s.Ledger.Missing() > 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("%d promised deliveries have not come after %s", s.Ledger.Missing(), patience)
		}
	}
	return nil
}

// Close ends the site and Caddy.
func (s *Scene) Close() error {
	defer s.Site.Close()
	return s.Kill()
}
