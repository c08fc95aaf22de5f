package receiver

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

const (
	// maxCertificates bounds what a certificate is read from, in bytes and in
	// certificates.
	maxCertificateText = 64 << 10
	maxCertificates    = 8

	certificateKept = 24 * time.Hour

	// minRSABits is the least size of an RSA key that is accepted.
	minRSAKeyBits = 2048
)

// chain is a certificate and those that vouch for it.
type chain struct {
	leaf   *x509.Certificate
	key    *rsa.PublicKey
	others *x509.CertPool
}

// newChainCache keeps certificates by their URL.
func newChainCache(client *http.Client) *keyCache[*chain] {
	client = fetchingClient(client)
	return newKeyCache(func(ctx context.Context, name string) (*chain, time.Duration, error) {
		text, err := get(ctx, client, name, maxCertificateText)
		if err != nil {
			return nil, 0, err
		}
		c, err := parseChain(text)
		return c, certificateKept, err
	})
}

// parseChain reads certificates in PEM form, of which the first is the one that
// requests are signed with. Errors wrap [ErrKeysUnavailable], because it is the
// provider who published them.
func parseChain(text []byte) (*chain, error) {
	c := &chain{others: x509.NewCertPool()}
	for range maxCertificates {
		block, rest := pem.Decode(text)
		if block == nil {
			break
		}
		text = rest
		if block.Type != "CERTIFICATE" {
			continue
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%w: what was published as a certificate is malformed", ErrKeysUnavailable)
		}
		if c.leaf != nil {
			c.others.AddCert(certificate)
			continue
		}
		c.leaf = certificate
	}
	if c.leaf == nil {
		return nil, fmt.Errorf("%w: what was published holds no certificate", ErrKeysUnavailable)
	}
	key, ok := c.leaf.PublicKey.(*rsa.PublicKey)
	if !ok || key.N.BitLen() < minRSAKeyBits {
		return nil, fmt.Errorf("%w: the key of the certificate is not an RSA key of at least %d bits", ErrKeysUnavailable, minRSAKeyBits)
	}
	c.key = key
	return c, nil
}

// checkValidity tells whether the certificate is valid now. Errors wrap
// [webhook.ErrSignatureMismatch].
func (c *chain) checkValidity(now time.Time) error {
	if now.Before(c.leaf.NotBefore) || now.After(c.leaf.NotAfter) {
		return fmt.Errorf("%w: the certificate that it was made with is valid from %s to %s", webhook.ErrSignatureMismatch,
			c.leaf.NotBefore.UTC().Format(time.RFC3339), c.leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	return nil
}
