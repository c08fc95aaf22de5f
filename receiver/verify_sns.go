package receiver

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // version 1 is signed with it
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// snsScheme is the signature in an Amazon SNS message: RSA over some of its
// members, with a certificate that it names
// (docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html).
type snsScheme struct {
	topics  []string // nil: of anybody
	confirm bool
	client  *http.Client
	chains  *keyCache[*chain]
}

func newSNSScheme(o schemeOptions) (scheme, error) {
	s := &snsScheme{client: fetchingClient(o.client), chains: newChainCache(o.client)}
	if topics := strings.TrimSpace(o.parameters["topics"]); topics != "*" {
		s.topics = strings.FieldsFunc(topics, func(r rune) bool { return r == ',' || r == ' ' })
		for _, topic := range s.topics {
			if !strings.HasPrefix(topic, "arn:") {
				return nil, fmt.Errorf("parameters.topics holds %q: write the ARNs of topics, separated by commas, or \"*\"", topic)
			}
		}
		if len(s.topics) == 0 {
			return nil, errors.New("parameters.topics is empty: write the ARNs of the topics that may send, separated by commas; whoever has an AWS account can send authentic messages of other topics")
		}
	}
	confirm, err := boolParameter(o, "confirm_subscriptions")
	if err != nil {
		return nil, err
	}
	s.confirm = confirm
	return s, nil
}

// boolParameter is a parameter that is "true" or "false"; by default it is
// false.
func boolParameter(o schemeOptions, name string) (bool, error) {
	switch value := o.parameters[name]; value {
	case "true":
		return true, nil
	case "", "false":
		return false, nil
	default:
		return false, fmt.Errorf("parameters.%s is %q: use true or false", name, value)
	}
}

// snsMessage is a message that has the right form. It is not yet authentic.
type snsMessage struct {
	kind, topic, id, subscribeURL string
	timestamp                     string
	certificate                   string
	hash                          crypto.Hash
	digest                        []byte
	signature                     []byte
}

var (
	snsNotification = []string{"Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"}
	snsSubscription = []string{"Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"}
	snsMembers      = slices.Concat(snsNotification, []string{"SubscribeURL", "Token", "Signature", "SignatureVersion", "SigningCertURL"})
)

const (
	snsTypeNotification = "Notification"
	snsTypeSubscribe    = "SubscriptionConfirmation"
	snsTypeUnsubscribe  = "UnsubscribeConfirmation"
)

// snsRetries is how long Amazon SNS goes on trying an HTTPS endpoint at most.
// The timestamp is that of the message and not of the attempt
// (docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html).
const snsRetries = time.Hour

func (s *snsScheme) verify(ctx context.Context, in *inbound) (proof, error) {
	m, err := readSNS(in.body)
	if err != nil {
		return proof{}, err
	}
	if s.topics != nil && !slices.Contains(s.topics, m.topic) {
		return proof{}, fmt.Errorf("%w: the topic is none of parameters.topics", webhook.ErrSignatureMismatch)
	}
	c, err := s.chains.get(ctx, m.certificate, in.now, 0)
	if err != nil {
		return proof{}, err
	}
	if err := c.checkValidity(in.now); err != nil {
		return proof{}, err
	}
	if rsa.VerifyPKCS1v15(c.key, m.hash, m.digest, m.signature) != nil {
		return proof{}, fmt.Errorf("%w: it was not made with the certificate over the members of the message", webhook.ErrSignatureMismatch)
	}
	s.chains.prove(m.certificate)
	proven := proof{id: m.id, eventType: m.kind}
	at, err := time.Parse(time.RFC3339, m.timestamp)
	if err != nil {
		return proven, fmt.Errorf("%w: Timestamp must be a time such as 2006-01-02T15:04:05.000Z", webhook.ErrTimestampMalformed)
	}
	proven.timestamp = at
	return proven, checkLate(at, in.now, in.tolerance, snsRetries)
}

// checkLate is checkAge for a time that stays the same in later attempts, which
// are made for as long as retries.
func checkLate(at, now time.Time, tolerance, retries time.Duration) error {
	if now.After(at) && tolerance > 0 {
		tolerance += retries
	}
	return checkAge(at, now, tolerance)
}

// readSNS reads a message. Errors wrap [webhook.ErrSignatureMissing] or
// [webhook.ErrSignatureMismatch].
func readSNS(body []byte) (*snsMessage, error) {
	o, err := readObject(body, snsMembers...)
	if err != nil {
		return nil, err
	}
	text, hasSignature := o.text("Signature")
	if !hasSignature {
		return nil, fmt.Errorf("%w: the body has no member \"Signature\"", webhook.ErrSignatureMissing)
	}
	m := &snsMessage{}
	if m.signature, err = decodeSignature(text); err != nil {
		return nil, err
	}
	m.kind, _ = o.text("Type")
	signed := snsSubscription
	switch m.kind {
	case snsTypeNotification:
		signed = snsNotification
	case snsTypeSubscribe, snsTypeUnsubscribe:
	default:
		return nil, fmt.Errorf("%w: Type is none of %s, %s and %s", webhook.ErrSignatureMismatch, snsTypeNotification, snsTypeSubscribe, snsTypeUnsubscribe)
	}
	content, err := appendSNS(nil, o, signed)
	if err != nil {
		return nil, err
	}
	version, _ := o.text("SignatureVersion")
	switch version {
	case "1":
		sum := sha1.Sum(content) //nolint:gosec // see above
		m.hash, m.digest = crypto.SHA1, sum[:]
	case "2":
		sum := sha256.Sum256(content)
		m.hash, m.digest = crypto.SHA256, sum[:]
	default:
		return nil, fmt.Errorf("%w: SignatureVersion is neither 1 nor 2", webhook.ErrSignatureMismatch)
	}
	m.topic, _ = o.text("TopicArn")
	m.id, _ = o.text("MessageId")
	m.timestamp, _ = o.text("Timestamp")
	m.subscribeURL, _ = o.text("SubscribeURL")
	m.certificate, _ = o.text("SigningCertURL")
	if u, ok := snsURL(m.certificate); !ok || !strings.HasSuffix(u.Path, ".pem") || u.RawQuery != "" {
		return nil, fmt.Errorf("%w: SigningCertURL is not that of a certificate at Amazon SNS", webhook.ErrSignatureMismatch)
	}
	return m, nil
}

// appendSNS appends what is signed: the name and the value of each member, with
// a line feed after it. Only Message may hold line feeds, or the lines could be
// read as other members.
func appendSNS(dst []byte, o object, signed []string) ([]byte, error) {
	for _, name := range signed {
		if name == "Subject" && !o.has(name) {
			continue
		}
		value, ok := o.text(name)
		if !ok || name != "Message" && (value == "" || strings.Contains(value, "\n")) {
			return nil, fmt.Errorf("%w: %s is missing, or is not a single line of text", webhook.ErrSignatureMismatch, name)
		}
		dst = append(append(dst, name...), '\n')
		dst = append(append(dst, value...), '\n')
	}
	return dst, nil
}

var snsHost = regexp.MustCompile(`^sns\.[a-z0-9-]{3,}\.amazonaws\.com(\.cn)?$`)

// snsURL reads a URL of Amazon SNS; ok tells whether it is one.
func snsURL(s string) (u *url.URL, ok bool) {
	if len(s) > 2048 {
		return nil, false
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.User != nil || u.Opaque != "" || u.Fragment != "" || !snsHost.MatchString(u.Host) {
		return nil, false
	}
	return u, true
}

// handshake confirms a subscription by visiting the URL that the message names,
// if that is wanted. It implements [challenger].
func (s *snsScheme) handshake(ctx context.Context, in *inbound, p proof) (handled bool, err error) {
	if !s.confirm || p.eventType != snsTypeSubscribe {
		return false, nil
	}
	m, err := readSNS(in.body)
	if err != nil {
		return false, err
	}
	u, ok := snsURL(m.subscribeURL)
	if !ok || u.Query().Get("Action") != "ConfirmSubscription" {
		return false, fmt.Errorf("%w: SubscribeURL is not that of a subscription at Amazon SNS", webhook.ErrSignatureMismatch)
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	if _, err := get(ctx, s.client, m.subscribeURL, maxCertificateText); err != nil {
		return false, fmt.Errorf("%w: confirming the subscription: %w", ErrKeysUnavailable, err)
	}
	return true, nil
}
