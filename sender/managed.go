package sender

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"slices"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// managedPrefix begins the IDs of endpoints that are made at run time.
const managedPrefix = "ep_"

// endpointKind is the kind of the documents that hold such endpoints.
const endpointKind = "endpoint"

// managedEndpoint is an endpoint made at run time, as it is kept in the store.
type managedEndpoint struct {
	Endpoint
	Secrets   []EndpointSecret `json:"secrets,omitempty"` // in place of the endpoint's own
	Active    bool             `json:"active,omitempty"`
	CreatedAt time.Time        `json:"created_at"`
	UpdatedAt time.Time        `json:"updated_at"`
	Deleted   bool             `json:"deleted,omitempty"` // what it has left behind is still to be cleared away

	version int64 // of the document
}

// clone copies the endpoint with all that it refers to.
func (m *managedEndpoint) clone() *managedEndpoint {
	c := *m
	c.Endpoint = m.Endpoint.clone()
	c.Secrets = slices.Clone(m.Secrets)
	return &c
}

// newEndpointID makes the ID of an endpoint: "ep_" and 96 random bits.
func newEndpointID(random io.Reader) (string, error) {
	var b [12]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("making an endpoint ID: %w", err)
	}
	return managedPrefix + hex.EncodeToString(b[:]), nil
}

// compileManaged makes an endpoint made at run time ready. What its owner may
// set is bounded more narrowly than in the configuration. Errors are a
// [*FieldError].
func (s *snapshot) compileManaged(m *managedEndpoint) (*target, error) {
	if err := m.checkBounds(); err != nil {
		return nil, err
	}
	t, err := s.compileEndpoint(&m.Endpoint, m.Secrets)
	if err != nil {
		return nil, err
	}
	t.managed, t.active, t.label = true, m.Active, runtimeEndpoints
	return t, nil
}

// takeOver makes an endpoint from the store ready. Rules that have changed
// since it was made do not do away with it: deliveries to a URL that they do
// not allow are blocked.
func (s *snapshot) takeOver(m *managedEndpoint) (*target, error) {
	t, err := s.compileManaged(m)
	if err == nil {
		return t, nil
	}
	if _, refused := s.guard.checkURL(m.URL); refused != nil {
		allowed := m.clone()
		allowed.URL = "https://endpoint.invalid/"
		t, otherwise := s.compileManaged(allowed)
		u, parses := url.Parse(m.URL)
		if otherwise == nil && parses == nil {
			t.url, t.config.URL, t.authorization = u, m.URL, basicAuthorization(u.User)
			t.refused = fmt.Errorf("%w: %w", ErrBlocked, refused)
			return t, nil
		}
	}
	return nil, err
}

// The bounds of what the owner of an endpoint made at run time may set.
const (
	maxURLLength         = 2048
	maxDescriptionLength = 1024
	maxPatterns          = 100
	maxHeaders           = 32
	maxHeaderBytes       = 8 << 10
	maxWaits             = 30
	maxWait              = 30 * 24 * time.Hour
	maxTimeout           = 5 * time.Minute
	maxManagedAtOnce     = 128
)

func (m *managedEndpoint) checkBounds() error {
	headers := 0
	for name, value := range m.Headers {
		headers += len(name) + len(value)
	}
	wrong := func(field, format string, args ...any) error {
		return &FieldError{field, fmt.Errorf(format, args...)}
	}
	switch {
	case len(m.URL) > maxURLLength:
		return wrong("url", "it has %d bytes: use at most %d", len(m.URL), maxURLLength)
	case len(m.Description) > maxDescriptionLength:
		return wrong("description", "it has %d bytes: use at most %d", len(m.Description), maxDescriptionLength)
	case len(m.Events) > maxPatterns:
		return wrong("events", "there are %d: name at most %d, or use a pattern such as message.*", len(m.Events), maxPatterns)
	case len(m.Headers) > maxHeaders || headers > maxHeaderBytes:
		return wrong("headers", "there are %d with %d bytes: use at most %d with %d bytes together", len(m.Headers), headers, maxHeaders, maxHeaderBytes)
	case len(m.Retry) > maxWaits:
		return wrong("retry", "there are %d waits: use at most %d", len(m.Retry), maxWaits)
	case slices.ContainsFunc(m.Retry, func(d webhook.Duration) bool { return time.Duration(d) > maxWait }):
		return wrong("retry", "a wait is longer than %s: use shorter ones", webhook.Duration(maxWait))
	case time.Duration(m.Timeout) > maxTimeout:
		return wrong("timeout", "%s is long: use at most %s", m.Timeout, webhook.Duration(maxTimeout))
	case m.Concurrency > maxManagedAtOnce:
		return wrong("concurrency", "%d is much: use at most %d", m.Concurrency, maxManagedAtOnce)
	}
	return nil
}

// loadEndpoints reads the endpoints that were made at run time.
func (s *Sender) loadEndpoints(ctx context.Context, c *snapshot) error {
	documents, err := s.store.Documents(ctx, endpointKind)
	if err != nil {
		return fmt.Errorf("reading the endpoints: %w", err)
	}
	for _, d := range documents {
		m := new(managedEndpoint)
		current, err := openDocument(c.sealer, &d, m)
		if err != nil {
			return fmt.Errorf("endpoint %s: %w", d.ID, err)
		}
		m.ID, m.version = d.ID, d.Version
		if m.Deleted {
			s.deleted = append(s.deleted, m.ID)
			continue
		}
		s.managed[m.ID] = m
		if !current {
			s.resealing = true
		}
	}
	return nil
}

// saveEndpoint stores an endpoint and counts up its version.
func (s *Sender) saveEndpoint(ctx context.Context, m *managedEndpoint) error {
	d, err := s.sealDocument(endpointKind, m.ID, m.version, m)
	if err != nil {
		return err
	}
	if err := s.store.PutDocuments(ctx, []*Document{d}); err != nil {
		return fmt.Errorf("storing the endpoint: %w", err)
	}
	m.version = d.Version
	return nil
}

// clearAway finishes what earlier processes have left: the deletion of
// endpoints, deliveries that were published for one just when it was deleted,
// and endpoints that are not sealed with the newest key.
func (s *Sender) clearAway(ctx context.Context, backlog []Backlog) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	if s.shared != nil { // another instance may just have made some of them
		if err := s.readEndpoints(ctx); err != nil {
			return err
		}
	}
	for _, id := range s.deleted {
		if err := s.cancelAll(ctx, id); err != nil {
			return err
		}
	}
	s.deleted = nil
	for _, b := range backlog {
		if _, closed := s.unreadable[b.EndpointID]; s.isStray(b.EndpointID) && !closed {
			if err := s.cancelAll(ctx, b.EndpointID); err != nil {
				return err
			}
		}
	}
	if s.resealing {
		s.reseal(ctx)
	}
	return nil
}

// reseal seals what is sealed with an older key, or not at all, with the
// newest key. The caller holds s.changing.
func (s *Sender) reseal(ctx context.Context) {
	err := s.resealAll(ctx)
	for tries := 1; err != nil && s.changeAgain(ctx, tries, err); tries++ {
		err = s.resealAll(ctx)
	}
	if err != nil {
		s.log.Error("sealing the endpoints failed; it is tried again at the next start", "error", err)
		return
	}
	s.resealing = false
}

func (s *Sender) resealAll(ctx context.Context) error {
	const step = 256
	for batch := range slices.Chunk(s.managedInOrder(), step) {
		documents := make([]*Document, len(batch))
		for i, m := range batch {
			d, err := s.sealDocument(endpointKind, m.ID, m.version, m)
			if err != nil {
				return err
			}
			documents[i] = d
		}
		if err := s.store.PutDocuments(ctx, documents); err != nil {
			return err
		}
		for i, m := range batch {
			m.version = documents[i].Version
		}
	}
	return nil
}

// managedInOrder are the endpoints made at run time in the order that they were
// made in. The caller holds s.changing.
func (s *Sender) managedInOrder() []*managedEndpoint { return inOrder(s.managed) }

// inOrder are endpoints in the order that they were made in.
func inOrder(endpoints map[string]*managedEndpoint) []*managedEndpoint {
	list := make([]*managedEndpoint, 0, len(endpoints))
	for _, m := range endpoints {
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b *managedEndpoint) int {
		if c := a.CreatedAt.Compare(b.CreatedAt); c != 0 {
			return c
		}
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return list
}

// sealDocument makes the document of a value, sealed if there is a key.
func (s *Sender) sealDocument(kind, id string, version int64, value any) (*Document, error) {
	plain, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("writing %s %s: %w", kind, id, err)
	}
	data, err := s.current.Load().sealer.seal(plain, kind+" "+id, s.random)
	if err != nil {
		return nil, err
	}
	return &Document{Kind: kind, ID: id, Version: version, Data: data}, nil
}

// openDocument reads a document into a value, and tells whether it is sealed as
// it would be now.
func openDocument(sealer *sealer, d *Document, value any) (current bool, err error) {
	plain, current, err := sealer.open(d.Data, d.Kind+" "+d.ID)
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(plain, value); err != nil {
		return false, fmt.Errorf("what is stored of it cannot be read: %w", err)
	}
	return current, nil
}
