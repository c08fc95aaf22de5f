package signer

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"strings"

	"github.com/manysends/caddy-webhooks/webhook"
)

// readPrivateKey reads a private key as PEM, as the base64 of its PKCS #8 form,
// or, where the provider shows public keys of Ed25519 in hex or base64, as the
// seed written the same way (RFC 8032, section 5.1.5). Errors wrap
// [webhook.ErrKey].
func readPrivateKey(algorithm, written, secret string) (any, error) {
	if strings.Contains(secret, "-----BEGIN") {
		return readPEM(secret)
	}
	secret = strings.Join(strings.Fields(secret), "")
	if algorithm == "ed25519" && written != "spki" {
		return readSeed(written, secret)
	}
	der, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(secret, "="))
	if err == nil {
		if key, err := x509.ParsePKCS8PrivateKey(der); err == nil {
			return key, nil
		}
		if _, err := x509.ParsePKIXPublicKey(der); err == nil {
			return nil, errPublic
		}
	}
	return nil, errNoPrivateKey
}

var (
	errPublic       = fmt.Errorf("%w: it is a public key, which cannot sign: give the private key that it belongs to", webhook.ErrKey)
	errNoPrivateKey = fmt.Errorf("%w: it must be a private key as PEM (-----BEGIN PRIVATE KEY-----), or the base64 between its first and last line", webhook.ErrKey)
)

func readPEM(secret string) (any, error) {
	block, _ := pem.Decode([]byte(strings.TrimSpace(secret)))
	if block == nil {
		return nil, errNoPrivateKey
	}
	switch block.Type {
	case "PRIVATE KEY":
		if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
			return key, nil
		}
	case "EC PRIVATE KEY":
		if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
			return key, nil
		}
	case "RSA PRIVATE KEY":
		if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
			return key, nil
		}
	case "ENCRYPTED PRIVATE KEY":
		return nil, fmt.Errorf("%w: it is encrypted: decrypt it with: openssl pkey -in <file>", webhook.ErrKey)
	default:
		if strings.Contains(block.Type, "PUBLIC") || block.Type == "CERTIFICATE" {
			return nil, errPublic
		}
	}
	return nil, errNoPrivateKey
}

// readSeed reads an Ed25519 key of 32 bytes, or of 64 with the public key
// behind it.
func readSeed(written, secret string) (ed25519.PrivateKey, error) {
	var read []byte
	var err error
	if written == "base64" {
		read, err = base64.RawStdEncoding.DecodeString(strings.TrimRight(secret, "="))
	} else {
		read, err = hex.DecodeString(secret)
	}
	switch {
	case err == nil && len(read) == ed25519.SeedSize:
		return ed25519.NewKeyFromSeed(read), nil
	case err == nil && len(read) == ed25519.PrivateKeySize:
		key := ed25519.NewKeyFromSeed(read[:ed25519.SeedSize])
		if !key.Equal(ed25519.PrivateKey(read)) {
			return nil, fmt.Errorf("%w: the two halves of the key do not belong together: copy it again, whole", webhook.ErrKey)
		}
		return key, nil
	}
	return nil, fmt.Errorf("%w: it must be the %s of the %d bytes of an Ed25519 private key, or the key as PEM", webhook.ErrKey, written, ed25519.SeedSize)
}
