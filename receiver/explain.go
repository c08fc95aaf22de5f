package receiver

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/manysends/caddy-webhooks/diagnose"
	"github.com/manysends/caddy-webhooks/webhook"
)

// Explain says whether a receiver with this configuration would take a request
// for authentic at a time, and if not, why not and what to do. The body is given
// apart; that of r is not read. Limits and duplicates do not count here.
//
// It is for people who look for a mistake: it takes much longer than a check,
// and must not decide about requests. Errors wrap [ErrConfig]; a secret that
// cannot be read is not an error, but part of the explanation.
func Explain(cfg Config, r *http.Request, body []byte, now time.Time) (diagnose.Explanation, error) {
	x := explaining{cfg: cfg, in: &inbound{request: r, url: cfg.URL, body: body, now: now}}
	if err := x.resolve(nil); err != nil {
		return diagnose.Explanation{}, err
	}
	return x.run(), nil
}

// run explains the request.
func (x *explaining) run() diagnose.Explanation {
	var before diagnose.Explanation
	x.checkOutside(&before)
	x.inflate(&before)
	x.verify()

	e := x.explain()
	// What was checked first comes first.
	e.Checks = append(before.Checks, e.Checks...)
	if before.Mistake != "" {
		e.Verified = false
		e.Mistake, e.Cause, e.Remedy = before.Mistake, before.Cause, before.Remedy
	}
	return e
}

// explaining is a request that is being explained.
type explaining struct {
	cfg      Config
	provider *provider
	scheme   scheme // nil if a secret cannot be read
	maxSize  int64
	in       *inbound
	verdict  error
}

// resolve reads the configuration, with or without its secrets. The client is
// that of [Options].
func (x *explaining) resolve(client *http.Client) error {
	resolved, err := x.cfg.resolve(client)
	if err == nil {
		x.provider, x.scheme, x.maxSize, x.in.tolerance = resolved.provider, resolved.scheme, resolved.maxSize, resolved.tolerance
		return nil
	}
	if !isAboutSecrets(err) {
		return err
	}
	x.provider = x.cfg.resolveProvider(func(string, ...any) {})
	x.maxSize, x.in.tolerance = x.cfg.MaxSize, time.Duration(x.cfg.Tolerance)
	if x.maxSize == 0 {
		x.maxSize = DefaultMaxSize
	}
	if x.in.tolerance == 0 {
		x.in.tolerance = DefaultTolerance
	}
	x.verdict = err
	return nil
}

// isAboutSecrets tells whether all that is wrong with a configuration is that
// secrets cannot be read.
func isAboutSecrets(err error) bool {
	problems := []error{err}
	if joined, ok := errors.AsType[interface {
		error
		Unwrap() []error
	}](err); ok && !slices.Contains(joined.Unwrap(), ErrConfig) {
		problems = joined.Unwrap()
	}
	return !slices.ContainsFunc(problems, func(p error) bool { return !errors.Is(p, webhook.ErrKey) })
}

// The names of the checks that are made here.
const (
	explainedRequest   = "request"
	explainedSecret    = "secret"
	explainedSignature = "signature"
	explainedMatch     = "match"
	explainedAge       = "age"
)

// checkOutside looks at what comes before the signature.
func (x *explaining) checkOutside(e *diagnose.Explanation) {
	method := x.in.request.Method
	switch {
	case method == http.MethodPost:
	case x.provider.handshake.takes(method):
		e.Add(diagnose.Check{Name: explainedRequest, OK: true, Text: "The method is " + method + ", which this provider may use to make sure of the endpoint; such requests are answered without a signature."}, "", "")
	default:
		e.Add(diagnose.Check{Name: explainedRequest, Text: fmt.Sprintf("The method is %.20q, and webhooks come with POST.", method)},
			diagnose.MistakeRequest, "Capture the POST itself; a redirect on the way may have made a GET of it.")
	}
	if size := int64(len(x.in.body)); size > x.maxSize {
		e.Add(diagnose.Check{Name: explainedRequest, Text: fmt.Sprintf("The body has %d bytes, and max_size is %d.", size, x.maxSize)},
			diagnose.MistakeRequest, "Raise max_size in the configuration of the receiver.")
	}
}

// inflate decompresses the body, where it was signed before it was compressed.
func (x *explaining) inflate(e *diagnose.Explanation) {
	decompress := x.provider.decompress
	if x.cfg.Decompress != nil {
		decompress = *x.cfg.Decompress
	}
	from := codingOf(x.in.request.Header)
	if !decompress || from == codingNone {
		return
	}
	if from == codingUnknown {
		e.Add(diagnose.Check{Name: explainedRequest, Text: "The Content-Encoding is none that can be decompressed."},
			diagnose.MistakeBodyCompressed, "Have the sender compress with gzip or deflate, or not at all.")
		return
	}
	var whole bodyBuffer
	if whole.inflate(x.in.body, from, x.maxSize) == nil {
		x.in.body = whole.bytes
	}
	// Otherwise it was decompressed when it was captured.
}

// verify checks the request as a receiver does.
func (x *explaining) verify() {
	if x.scheme != nil {
		_, x.verdict = x.scheme.verify(x.in.request.Context(), x.in)
	}
}

// explain explains by the kind of the signature.
func (x *explaining) explain() diagnose.Explanation {
	kind := x.scheme
	if kind == nil {
		kind = x.readable()
	}
	switch s := kind.(type) {
	case headerScheme:
		return diagnose.Standard(x.cfg.Secrets, x.in.request.Header, x.in.body, x.in.now, x.in.tolerance)
	case bodyScheme:
		return diagnose.Body(x.cfg.Secrets, x.in.request.Header, x.in.body)
	case *templateScheme:
		return x.explainTemplate(s)
	}
	return x.explainSpecial()
}

// standIns are secrets of all kinds, to find out what is checked in which way
// where the configured ones cannot be read.
var standIns = []string{
	"whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
	"3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29",
}

// readable is the scheme with a secret that can be read, or nil.
func (x *explaining) readable() scheme {
	for _, secret := range standIns {
		s, err := x.provider.newScheme(schemeOptions{
			secrets: []string{secret}, key: x.cfg.Key, template: x.provider.template, parameters: x.cfg.Parameters,
		})
		if err == nil {
			return s
		}
	}
	return nil
}

// adviceOf says what to do about each reason that a special verifier gives.
var adviceOf = map[Reason]struct {
	check, remedy string
	mistake       diagnose.Mistake
}{
	ReasonSignatureMissing: {explainedSignature,
		"See that signing is turned on at the provider, and that everything between it and here passes its headers on.", diagnose.MistakeSignatureMissing},
	ReasonSignatureMismatch: {explainedMatch,
		"Compare the secret or the key with what the provider shows for exactly this endpoint, set url to the address that it was told, and capture the raw body before anything parses it.", diagnose.MistakeUnknown},
	ReasonTimestampMalformed: {explainedAge,
		"Check that this is the provider you take it for, and that nothing on the way writes its headers anew.", diagnose.MistakeTimestampForm},
	ReasonTooOld: {explainedAge,
		"If this is a request captured earlier, all is well but its age; otherwise set the clocks by NTP on both sides.", diagnose.MistakeTooOld},
	ReasonTooNew: {explainedAge,
		"Set the clocks by NTP on both sides.", diagnose.MistakeTooNew},
	ReasonKeysUnavailable: {explainedSecret,
		"See that this machine may connect to where the provider publishes its keys, and try again: it says nothing about the request.", diagnose.MistakeSecretUnusable},
}

// explainSpecial explains by the reason that the check gives.
func (x *explaining) explainSpecial() diagnose.Explanation {
	e := diagnose.Explanation{Verified: x.verdict == nil}
	switch {
	case x.scheme == nil:
		e.Add(diagnose.Check{Name: explainedSecret, Text: explained(x.verdict)}, diagnose.MistakeSecretUnusable,
			"Give the secret or the key as the provider shows it: "+x.provider.Description)
		return e
	case x.verdict == nil:
		e.Add(diagnose.Check{Name: explainedMatch, OK: true, Text: "The request is authentic, as " + x.provider.Name + " signs it."}, "", "")
		return e
	}
	reason := notAuthentic(x.verdict).Reason
	if reason == ReasonSignatureMismatch && !x.provider.Keyless {
		values := diagnose.Values{Body: x.in.body, URL: x.in.address()}
		found := e.Guess(values, x.in.request.Header, func(v diagnose.Values) bool {
			changed := *x.in
			changed.body, changed.url = v.Body, v.URL
			_, err := x.scheme.verify(x.in.request.Context(), &changed)
			return err == nil || isAboutTime(err)
		})
		if found {
			return e
		}
	}
	if isAboutTime(x.verdict) {
		e.Add(diagnose.Check{Name: explainedMatch, OK: true, Text: "The signature is right."}, "", "")
	}
	advice := adviceOf[reason]
	e.Add(diagnose.Check{Name: advice.check, Text: explained(x.verdict)}, advice.mistake, advice.remedy)
	return e
}

// explained is an error as a sentence.
func explained(err error) string {
	text := strings.TrimPrefix(strings.SplitN(err.Error(), "\n", 2)[0], ErrConfig.Error()+": ")
	return strings.ToUpper(text[:1]) + text[1:] + "."
}
