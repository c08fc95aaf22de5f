package receiver

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"strings"

	"github.com/manysends/caddy-webhooks/internal/smallorder"
	"github.com/manysends/caddy-webhooks/webhook"
)

// isPEM tells whether a secret is written as a public key or a certificate is.
func isPEM(s string) bool { return strings.HasPrefix(strings.TrimSpace(s), "-----BEGIN ") }

// parsePublicKey reads a public key: PEM, or the base64 of the SPKI form. Keys
// that are too weak are refused. Errors wrap [webhook.ErrKey].
func parsePublicKey(s string) (any, error) {
	const remedy = "give the public key in PEM form (-----BEGIN PUBLIC KEY-----), or its base64 on one line"
	s = strings.TrimSpace(s)
	var der []byte
	if isPEM(s) {
		block, _ := pem.Decode([]byte(s))
		switch {
		case block == nil:
			return nil, fmt.Errorf("%w: the PEM text is malformed: %s", webhook.ErrKey, remedy)
		case strings.Contains(block.Type, "PRIVATE"):
			return nil, fmt.Errorf("%w: this is the sender's private key: %s, and replace the private one if it was shared", webhook.ErrKey, remedy)
		case block.Type != "PUBLIC KEY":
			return nil, fmt.Errorf("%w: the PEM text holds something else than a public key: %s", webhook.ErrKey, remedy)
		}
		der = block.Bytes
	} else {
		var err error
		if der, err = base64.StdEncoding.DecodeString(s); err != nil {
			return nil, fmt.Errorf("%w: it is neither PEM nor base64: %s", webhook.ErrKey, remedy)
		}
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, fmt.Errorf("%w: it is not a public key in SPKI form: %s", webhook.ErrKey, remedy)
	}
	if !isStrong(key) {
		return nil, fmt.Errorf("%w: the public key is weak or of a kind that is not known: use RSA of at least %d bits, ECDSA with P-256 or larger, or Ed25519", webhook.ErrKey, minRSAKeyBits)
	}
	return key, nil
}

// isStrong tells whether a public key is of a kind and a size that is accepted.
func isStrong(key any) bool {
	switch key := key.(type) {
	case *rsa.PublicKey:
		return key.N.BitLen() >= minRSAKeyBits
	case *ecdsa.PublicKey:
		return key.Curve == elliptic.P256() || key.Curve == elliptic.P384() || key.Curve == elliptic.P521()
	case ed25519.PublicKey:
		return len(key) == ed25519.PublicKeySize && !smallorder.Is(key)
	}
	return false
}
