package receiver

import (
	"bytes"
	"slices"

	"github.com/manysends/caddy-webhooks/diagnose"
)

// explainTemplate explains a request that is signed as a template says. The
// keys of s count only if the configured ones could be read.
func (x *explaining) explainTemplate(s *templateScheme) diagnose.Explanation {
	c := new(checking)
	c.doc.open(&s.paths, x.in.body)
	defer c.doc.close()

	rule := &diagnose.Rule{
		Algorithm:       s.algorithm.name(),
		Secrets:         x.cfg.Secrets,
		Key:             s.key,
		Encoding:        s.encoding,
		Place:           s.signature[0].String(),
		Header:          x.in.request.Header,
		Values:          diagnose.Values{Body: x.in.body, URL: x.in.address()},
		Content:         func(v diagnose.Values) ([]byte, error) { return s.contentOf(x.in, v) },
		TimestampFormat: s.format,
		Now:             x.in.now,
		Tolerance:       x.in.tolerance,
	}
	if ring, ok := s.ring.(publicRing); ok {
		rule.Secrets = nil
		if x.scheme != nil {
			for _, key := range ring.keys {
				rule.Public = append(rule.Public, key)
			}
		}
	}
	if s.collectSignatures(c, x.in) == nil {
		rule.Signatures = slices.Clone(c.signatures)
		// The first place that has one is where it was looked for with success.
		for i := range s.signature {
			if value, err := s.signature[i].one(x.in, &c.doc); err != nil || value != "" {
				rule.Place = s.signature[i].String()
				break
			}
		}
	}
	if len(s.id) > 0 && s.idSigned {
		rule.IDPlace = s.id[0].String()
		rule.Values.ID, _, _ = s.id.one(x.in, &c.doc)
	}
	if len(s.timestamp) > 0 {
		rule.TimestampPlace = s.timestamp[0].String()
		rule.Values.Timestamp, _, _ = s.timestamp.one(x.in, &c.doc)
	}
	e := rule.Explain(x.verdict)
	if x.scheme == nil && (e.Mistake == diagnose.MistakeUnknown || rule.Secrets == nil) {
		e.Mistake, e.Cause = diagnose.MistakeSecretUnusable, explained(x.verdict)
		e.Remedy = "Give the key as the provider shows it: " + x.provider.Description
	}
	return e
}

// contentOf is what would be signed if the request had other values.
func (s *templateScheme) contentOf(in *inbound, v diagnose.Values) ([]byte, error) {
	changed := *in
	changed.body, changed.url = v.Body, v.URL
	c := &checking{id: v.ID, hasID: v.ID != "", timestamp: v.Timestamp, hasTime: v.Timestamp != ""}
	c.doc.open(&s.paths, v.Body)
	defer c.doc.close()
	content, err := s.assemble(c, &changed)
	if err != nil {
		return nil, err
	}
	return bytes.Join([][]byte{content.before, content.body, content.after}, nil), nil
}

// name is what a template calls the algorithm.
func (a *algorithm) name() string {
	for _, name := range algorithmNames() {
		known := algorithms[name]
		if known.token == a.token && known.size == a.size && (known.public != nil) == (a.public != nil) {
			return name
		}
	}
	return ""
}
