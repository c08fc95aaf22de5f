package receiver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dunglas/httpsfv"

	"github.com/manysends/caddy-webhooks/webhook"
)

// messageScheme is HTTP Message Signatures (RFC 9421), with the body covered by
// Content-Digest (RFC 9530).
type messageScheme struct {
	keys messageKeys

	// required are the components that must be covered; of each group one.
	required [][]string

	keyID, tag string // empty: any
}

const (
	headerSignatureInput = "Signature-Input"
	headerSignature      = "Signature"
	headerContentDigest  = "Content-Digest"

	componentDigest = "content-digest"

	// maxMessageSignatures is how many signatures of a request are tried.
	maxMessageSignatures = 4
)

// pathComponents are those that cover the path, each by itself.
var pathComponents = []string{"@target-uri", "@path", "@request-target"}

func newMessageScheme(o schemeOptions) (scheme, error) {
	keys, err := newMessageKeys(o)
	if err != nil {
		return nil, err
	}
	s := &messageScheme{keys: keys, keyID: o.parameters["keyid"], tag: o.parameters["tag"]}
	s.required = [][]string{{"@method"}, pathComponents, {componentDigest}}
	if list := o.parameters["components"]; list != "" {
		s.required = nil
		for _, name := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' }) {
			name = strings.Trim(name, `"`)
			if name == "" || name != strings.ToLower(name) || strings.HasPrefix(name, "@") && !slices.Contains(derivedComponents, name) {
				return nil, fmt.Errorf("parameters.components holds %q: write names of header fields in lower case, or %s", name, strings.Join(derivedComponents, ", "))
			}
			s.required = append(s.required, []string{name})
		}
		if len(s.required) == 0 {
			return nil, errors.New("parameters.components names no component: leave it out for @method, @target-uri and content-digest")
		}
	}
	return s, nil
}

func (s *messageScheme) verify(_ context.Context, in *inbound) (proof, error) {
	inputs, err := readDictionary(in, headerSignatureInput)
	if err != nil {
		return proof{}, err
	}
	signatures, err := readDictionary(in, headerSignature)
	if err != nil {
		return proof{}, err
	}
	labels := inputs.Names()
	if len(labels) > maxMessageSignatures {
		return proof{}, fmt.Errorf("%w: the request has more than %d signatures", webhook.ErrSignatureMismatch, maxMessageSignatures)
	}
	err = fmt.Errorf("%w: %s holds no signature", webhook.ErrSignatureMissing, headerSignatureInput)
	for _, label := range labels {
		member, _ := inputs.Get(label)
		input, ok := member.(httpsfv.InnerList)
		if !ok {
			err = fmt.Errorf("%w: %s holds something else than a list of components", webhook.ErrSignatureMismatch, headerSignatureInput)
			continue
		}
		member, _ = signatures.Get(label)
		item, _ := member.(httpsfv.Item)
		signature, ok := item.Value.([]byte)
		if !ok {
			err = fmt.Errorf("%w: %s has no signature of a label that is in %s", webhook.ErrSignatureMissing, headerSignature, headerSignatureInput)
			continue
		}
		var proven proof
		if proven, err = s.verifyOne(in, input, signature); err == nil || isAboutTime(err) {
			return proven, err
		}
	}
	return proof{}, err
}

// readDictionary reads a header that is a dictionary (RFC 9651). Errors wrap
// [webhook.ErrSignatureMissing] or [webhook.ErrSignatureMismatch].
func readDictionary(in *inbound, name string) (*httpsfv.Dictionary, error) {
	values := in.request.Header[name]
	if len(values) == 0 {
		return nil, fmt.Errorf("%w: the request has no %s header", webhook.ErrSignatureMissing, name)
	}
	size := 0
	for _, v := range values {
		size += len(v)
	}
	if size > maxSignatureHeader {
		return nil, fmt.Errorf("%w: the %s headers are longer than %d bytes", webhook.ErrSignatureMismatch, name, maxSignatureHeader)
	}
	d, err := httpsfv.UnmarshalDictionary(values)
	if err != nil {
		return nil, fmt.Errorf("%w: the %s header is malformed", webhook.ErrSignatureMismatch, name)
	}
	return d, nil
}

// verifyOne checks one signature of the request.
func (s *messageScheme) verifyOne(in *inbound, input httpsfv.InnerList, signature []byte) (proof, error) {
	parameters, err := readSignatureParameters(input)
	if err != nil {
		return proof{}, err
	}
	switch {
	case parameters.algorithm != "" && parameters.algorithm != s.keys.algorithm:
		return proof{}, fmt.Errorf("%w: the signature is not made with the algorithm %s", webhook.ErrSignatureMismatch, s.keys.algorithm)
	case s.keyID != "" && parameters.keyID != s.keyID:
		return proof{}, fmt.Errorf("%w: the signature is not made with the key of parameters.keyid", webhook.ErrSignatureMismatch)
	case s.tag != "" && parameters.tag != s.tag:
		return proof{}, fmt.Errorf("%w: the signature has not the tag of parameters.tag", webhook.ErrSignatureMismatch)
	}
	base, covered, err := appendSignatureBase(nil, in, input)
	if err != nil {
		return proof{}, err
	}
	if err := s.checkCovered(in, covered); err != nil {
		return proof{}, err
	}
	i := s.keys.match(base, signature)
	if i < 0 {
		return proof{}, errUnsigned("the components of the request")
	}
	if slices.Contains(covered, componentDigest) {
		if err := checkContentDigest(in); err != nil {
			return proof{}, err
		}
	}
	proven := proof{secret: i, id: parameters.nonce, content: [2][]byte{s.signedPath(in), in.body}}
	if len(in.body) == 0 {
		proven.content = [2][]byte{base}
	}
	return parameters.checkTimes(in, proven)
}

// signedPath is the path, where every signature that is accepted covers it: the
// same body at another path is another event. What only some of them cover does
// not count, or the same request would be another event by another of its
// signatures.
func (s *messageScheme) signedPath(in *inbound) []byte {
	for _, group := range s.required {
		if !slices.ContainsFunc(group, func(name string) bool { return !slices.Contains(pathComponents, name) }) {
			return []byte(splitAddress(signedAddress(in)).path)
		}
	}
	return nil
}

// checkCovered tells whether all is covered that must be. Errors wrap
// [webhook.ErrSignatureMismatch].
func (s *messageScheme) checkCovered(in *inbound, covered []string) error {
	isCovered := func(name string) bool { return slices.Contains(covered, name) }
	for _, group := range s.required {
		if len(in.body) == 0 && slices.Contains(group, componentDigest) {
			continue
		}
		if !slices.ContainsFunc(group, isCovered) {
			return fmt.Errorf("%w: the signature does not cover %s", webhook.ErrSignatureMismatch, strings.Join(group, " or "))
		}
	}
	if len(in.body) > 0 && !isCovered(componentDigest) {
		return fmt.Errorf("%w: the signature does not cover %s, and so not the body", webhook.ErrSignatureMismatch, componentDigest)
	}
	return nil
}

// signatureParameters are those of a signature (RFC 9421, section 2.3).
type signatureParameters struct {
	algorithm, keyID, tag, nonce string
	created, expires             int64
	hasCreated, hasExpires       bool
}

// readSignatureParameters reads them. Errors wrap
// [webhook.ErrSignatureMismatch].
func readSignatureParameters(input httpsfv.InnerList) (p signatureParameters, err error) {
	if input.Params == nil {
		return p, nil
	}
	for _, name := range input.Params.Names() {
		value, _ := input.Params.Get(name)
		ok := true
		switch name {
		case "alg":
			p.algorithm, ok = value.(string)
		case "keyid":
			p.keyID, ok = value.(string)
		case "tag":
			p.tag, ok = value.(string)
		case "nonce":
			p.nonce, ok = value.(string)
		case "created":
			p.created, ok = value.(int64)
			p.hasCreated = ok
		case "expires":
			p.expires, ok = value.(int64)
			p.hasExpires = ok
		}
		if !ok {
			return p, fmt.Errorf("%w: the parameter %s of the signature is of the wrong type", webhook.ErrSignatureMismatch, name)
		}
	}
	return p, nil
}

// checkTimes checks when the signature was made and until when it counts. Errors
// wrap one of the reasons about the timestamp.
func (p *signatureParameters) checkTimes(in *inbound, proven proof) (proof, error) {
	if p.hasExpires && in.now.After(time.Unix(p.expires, 0)) {
		return proven, fmt.Errorf("%w: the signature has expired", webhook.ErrTimestampTooOld)
	}
	if !p.hasCreated {
		if in.tolerance > 0 {
			return proven, fmt.Errorf("%w: the signature does not tell when it was created", webhook.ErrTimestampMalformed)
		}
		return proven, nil
	}
	proven.timestamp = time.Unix(p.created, 0)
	return proven, checkAge(proven.timestamp, in.now, in.tolerance)
}
