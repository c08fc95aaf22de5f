package receiver

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"hash/crc32"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// paypalScheme is PAYPAL-TRANSMISSION-SIG: RSA with SHA-256 over the ID and the
// time of the transmission, the ID of the webhook and the CRC-32 of the body,
// with a certificate that a header names
// (developer.paypal.com/api/rest/webhooks/rest/#verify-webhook-signature).
//
// A CRC-32 is easily matched: whoever has an authentic request can put another
// body into it. So the ID of the transmission is claimed as well as that of the
// event.
type paypalScheme struct {
	webhookID string
	chains    *keyCache[*chain]
	roots     *x509.CertPool // nil: those of the system
}

func newPayPalScheme(o schemeOptions) (scheme, error) {
	id := o.parameters["webhook_id"]
	if id == "" || strings.Contains(id, "|") {
		return nil, errors.New("parameters.webhook_id is not set: copy the webhook's ID from PayPal's developer dashboard")
	}
	return &paypalScheme{webhookID: id, chains: newChainCache(o.client)}, nil
}

const (
	headerPayPalID        = "Paypal-Transmission-Id"
	headerPayPalTime      = "Paypal-Transmission-Time"
	headerPayPalSignature = "Paypal-Transmission-Sig"
	headerPayPalCertURL   = "Paypal-Cert-Url"
	headerPayPalAlgorithm = "Paypal-Auth-Algo"
)

func (s *paypalScheme) verify(ctx context.Context, in *inbound) (proof, error) {
	var values [5]string
	for i, name := range [...]string{headerPayPalID, headerPayPalTime, headerPayPalSignature, headerPayPalCertURL, headerPayPalAlgorithm} {
		value, err := oneHeader(in.request, name)
		if err != nil {
			return proof{}, err
		}
		values[i] = value
	}
	id, sent, certificate := values[0], values[1], values[3]
	if strings.Contains(id, "|") || strings.Contains(sent, "|") {
		return proof{}, fmt.Errorf("%w: the ID or the time of the transmission holds a bar, which separates them where they are signed", webhook.ErrSignatureMismatch)
	}
	if !strings.EqualFold(values[4], "SHA256withRSA") {
		return proof{}, fmt.Errorf("%w: %s is not SHA256withRSA", webhook.ErrSignatureMismatch, headerPayPalAlgorithm)
	}
	signature, err := decodeSignature(values[2])
	if err != nil {
		return proof{}, err
	}
	if !isPayPalURL(certificate) {
		return proof{}, fmt.Errorf("%w: %s is not the address of a certificate at PayPal", webhook.ErrSignatureMismatch, headerPayPalCertURL)
	}
	c, err := s.chains.get(ctx, certificate, in.now, 0)
	if err != nil {
		return proof{}, err
	}
	if err := s.checkChain(c, in.now); err != nil {
		return proof{}, err
	}
	crc := strconv.FormatUint(uint64(crc32.ChecksumIEEE(in.body)), 10)
	sum := sha256.Sum256([]byte(id + "|" + sent + "|" + s.webhookID + "|" + crc))
	if rsa.VerifyPKCS1v15(c.key, crypto.SHA256, sum[:], signature) != nil {
		return proof{}, fmt.Errorf("%w: it was not made with the certificate over the transmission, parameters.webhook_id and the body", webhook.ErrSignatureMismatch)
	}
	s.chains.prove(certificate)
	proven := proof{content: [2][]byte{[]byte(id)}}
	if o, broken := readObject(in.body, "id", "event_type"); broken == nil {
		proven.id, _ = o.text("id")
		proven.eventType, _ = o.text("event_type")
	}
	at, err := time.Parse(time.RFC3339, sent)
	if err != nil {
		return proven, fmt.Errorf("%w: %s must be a time such as 2006-01-02T15:04:05Z", webhook.ErrTimestampMalformed, headerPayPalTime)
	}
	proven.timestamp = at
	return proven, checkAge(at, in.now, in.tolerance)
}

// isPayPalURL tells whether a URL is one of PayPal.
func isPayPalURL(s string) bool {
	if len(s) > 2048 {
		return false
	}
	u, err := url.Parse(s)
	return err == nil && u.Scheme == "https" && u.User == nil && u.Opaque == "" && u.Fragment == "" && isPayPalName(u.Host)
}

func isPayPalName(name string) bool {
	name = strings.ToLower(name)
	return strings.HasSuffix(name, ".paypal.com") && !strings.Contains(name, ":")
}

// checkChain tells whether a certificate is valid now, is for a name of PayPal
// and is vouched for. Errors wrap [webhook.ErrSignatureMismatch].
func (s *paypalScheme) checkChain(c *chain, now time.Time) error {
	if err := c.checkValidity(now); err != nil {
		return err
	}
	names := append([]string{c.leaf.Subject.CommonName}, c.leaf.DNSNames...)
	named := false
	for _, name := range names {
		named = named || isPayPalName(name)
	}
	if !named {
		return fmt.Errorf("%w: the certificate is for no name below paypal.com", webhook.ErrSignatureMismatch)
	}
	_, err := c.leaf.Verify(x509.VerifyOptions{
		Roots: s.roots, Intermediates: c.others, CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return fmt.Errorf("%w: nobody vouches for the certificate: %w", webhook.ErrSignatureMismatch, err)
	}
	return nil
}
