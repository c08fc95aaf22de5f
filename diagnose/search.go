package diagnose

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // what a sender signs with is not ours to choose
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"hash"
	"slices"
)

// What a search may take: tries, each of which is a signature that is made, and
// the bytes that are signed in all of them.
const (
	maxTries  = 900
	maxSigned = 32 << 20
)

// hashes are those of HMAC, by the name of the algorithm, in the order in which
// they are tried.
var hashes = []struct {
	name string
	make func() hash.Hash
}{
	{"hmac-sha256", sha256.New},
	{"hmac-sha1", sha1.New},
	{"hmac-sha512", sha512.New},
	{"hmac-sha384", sha512.New384},
}

// finding is a mistake that makes the signature right.
type finding struct {
	mistake       Mistake
	cause, remedy string
	body          []byte // what was signed, if it is the body that differs
}

// search makes mistakes until the signature comes out.
type search struct {
	rule       *Rule
	newHash    func() hash.Hash // nil for public keys and tokens
	keys       []key            // as the rule reads them, then in other ways
	candidates []candidate
	content    []byte // as the rule has it; nil if it cannot be made
	tries      int
	signed     int
}

func newSearch(r *Rule) *search {
	s := &search{rule: r}
	for _, h := range hashes {
		if h.name == r.Algorithm && len(r.Public) == 0 {
			s.newHash = h.make
		}
	}
	if s.newHash != nil {
		s.keys = keysOf(r.Secrets, r.Key)
	}
	s.candidates = r.candidates()
	s.content = s.make(r.Values)
	return s
}

// make is the content for values, or nil.
func (s *search) make(v Values) []byte {
	if s.rule.Content == nil {
		return nil
	}
	content, err := s.rule.Content(v)
	if err != nil {
		return nil
	}
	if content == nil {
		content = []byte{}
	}
	return content
}

// spend tells whether one more try over so many bytes is within the bounds.
func (s *search) spend(size int) bool {
	if s.tries >= maxTries || s.signed+size > maxSigned {
		return false
	}
	s.tries++
	s.signed += size
	return true
}

// steps are the mistakes, the likely and the cheap ones first.
var steps = []func(*search) *finding{
	(*search).asConfigured,
	(*search).otherKeys,
	(*search).otherBodies,
	(*search).otherValues,
	(*search).otherContents,
	(*search).otherAlgorithms,
	(*search).cutBody,
	(*search).nearTimes,
}

// run returns the first mistake that explains the signature, or nil.
func (s *search) run() *finding {
	if s.rule.Algorithm == "token" {
		return s.findToken()
	}
	if len(s.candidates) == 0 {
		return nil
	}
	for _, step := range steps {
		if f := step(s); f != nil {
			return f
		}
	}
	return s.withoutLineBreak()
}

// withoutLineBreak makes the mistakes once more for a body without the line
// break that an editor or a terminal has put behind it.
func (s *search) withoutLineBreak() *finding {
	trimmed := bytes.TrimRight(s.rule.Values.Body, "\r\n")
	if len(trimmed) == len(s.rule.Values.Body) || len(trimmed) == 0 {
		return nil
	}
	rule := *s.rule
	rule.Values.Body = trimmed
	again := newSearch(&rule)
	again.tries, again.signed = s.tries/2, s.signed/2
	for _, step := range steps[:len(steps)-2] {
		if f := step(again); f != nil {
			f.cause += " And the line break at the end of the body is not signed."
			if f.body == nil {
				f.body = trimmed
			}
			return f
		}
	}
	return nil
}

// asConfigured looks for a signature that is right but for how it is written,
// or for where it is.
func (s *search) asConfigured() *finding {
	if s.content == nil {
		return nil
	}
	c := s.match(s.configured(), s.newHash, s.content)
	if c == nil {
		return nil
	}
	return c.finding(s.rule)
}

// configured are the keys as the rule reads them.
func (s *search) configured() []key {
	return slices.DeleteFunc(slices.Clone(s.keys), func(k key) bool { return k.mistake != "" })
}

// readable are keys to try other mistakes with: those that the rule can read, or
// if there are none, all ways to read them.
func (s *search) readable() []key {
	if keys := s.configured(); len(keys) > 0 {
		return keys
	}
	return s.keys
}

// match is the candidate that one of the keys has made over a content, or nil.
func (s *search) match(keys []key, newHash func() hash.Hash, content []byte) *candidate {
	c, _ := s.matchKey(keys, newHash, content)
	return c
}

func (s *search) matchKey(keys []key, newHash func() hash.Hash, content []byte) (*candidate, *key) {
	if len(s.rule.Public) > 0 {
		return s.matchPublic(content), nil
	}
	if newHash == nil {
		return nil, nil
	}
	for i := range keys {
		if !s.spend(len(content)) {
			return nil, nil
		}
		mac := hmac.New(newHash, keys[i].bytes)
		mac.Write(content)
		if c := s.find(mac.Sum(nil)); c != nil {
			return c, &keys[i]
		}
	}
	return nil, nil
}

// minRight is how much of a signature must be right for it to count as one that
// was cut off, in bytes. It is too much to be found by trying, so that nobody
// finds a signature piece by piece.
const minRight = 16

// find is the candidate that is a sum, or the beginning of it.
func (s *search) find(sum []byte) *candidate {
	for i := range s.candidates {
		c := &s.candidates[i]
		n := len(c.bytes)
		if n == len(sum) && !c.cut && subtle.ConstantTimeCompare(c.bytes, sum) == 1 {
			return c
		}
	}
	for i := range s.candidates {
		c := &s.candidates[i]
		n := len(c.bytes)
		if n >= minRight && n < len(sum) && subtle.ConstantTimeCompare(c.bytes, sum[:n]) == 1 {
			short := *c
			short.mistake = MistakeSignatureTruncated
			return &short
		}
	}
	return nil
}

func (s *search) matchPublic(content []byte) *candidate {
	for i := range s.candidates {
		c := &s.candidates[i]
		for _, verify := range s.rule.Public {
			if !s.spend(len(content)) {
				return nil
			}
			if verify(content, c.bytes) {
				return c
			}
		}
	}
	return nil
}

// otherKeys reads the secrets in other ways.
func (s *search) otherKeys() *finding {
	if s.content == nil {
		return nil
	}
	others := slices.DeleteFunc(slices.Clone(s.keys), func(k key) bool { return k.mistake == "" })
	_, k := s.matchKey(others, s.newHash, s.content)
	if k == nil {
		return nil
	}
	return &finding{mistake: k.mistake, cause: k.cause, remedy: k.remedy}
}

// otherBodies undoes what may have been done to the body.
func (s *search) otherBodies() *finding {
	for v := range variantsOf(s.rule.Values.Body, s.rule.Header) {
		values := s.rule.Values
		values.Body = v.body
		content := s.make(values)
		if content == nil || bytes.Equal(content, s.content) {
			continue
		}
		if s.match(s.readable(), s.newHash, content) != nil {
			return v.finding(s.rule.Values.Body)
		}
	}
	return nil
}

// otherAlgorithms signs with other hashes.
func (s *search) otherAlgorithms() *finding {
	if s.newHash == nil || s.content == nil {
		return nil
	}
	for _, h := range hashes {
		if h.name == s.rule.Algorithm {
			continue
		}
		if s.match(s.keys, h.make, s.content) != nil {
			return &finding{
				mistake: MistakeAlgorithm,
				cause:   "The signature is right, but made with " + h.name + " in place of " + s.rule.Algorithm + ".",
				remedy:  "Have the sender sign with " + s.rule.Algorithm + ", or if it cannot, describe its signature with the algorithm " + h.name + ".",
			}
		}
	}
	return s.plainHashes()
}

// plainHashes looks for a hash that was made without HMAC.
func (s *search) plainHashes() *finding {
	for _, k := range s.readable() {
		for _, content := range [][]byte{s.content, slices.Concat(k.bytes, s.content), slices.Concat(s.content, k.bytes)} {
			for _, h := range hashes {
				if !s.spend(len(content)) {
					return nil
				}
				sum := h.make()
				sum.Write(content)
				if s.find(sum.Sum(nil)) != nil {
					return &finding{
						mistake: MistakeAlgorithm,
						cause:   "The signature is a plain hash of the content, not an HMAC with the secret as its key.",
						remedy:  "Have the sender make an HMAC (" + s.rule.Algorithm + "): a plain hash can be made, or lengthened, by others.",
					}
				}
			}
		}
	}
	return nil
}
