package signer

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // what a provider signs with is not ours to choose
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"io"

	"github.com/manysends/caddy-webhooks/receiver"
	"github.com/manysends/caddy-webhooks/webhook"
)

// signature makes the signature of one secret, as it is written into a request,
// over what content writes.
type signature func(content func(io.Writer) error) (string, error)

// hashes are those of the HMACs that receiver.Template names.
var hashes = map[string]func() hash.Hash{
	"hmac-sha1":   sha1.New,
	"hmac-sha256": sha256.New,
	"hmac-sha384": sha512.New384,
	"hmac-sha512": sha512.New,
}

// minRSABits is the smallest RSA key that NIST SP 800-131A allows.
const minRSABits = 2048

// newSignature reads a secret. Errors about it wrap [webhook.ErrKey] and never
// hold it.
func newSignature(rules *receiver.Signing, secret string) (signature, error) {
	encode := encoder(rules.Template.Encoding)
	algorithm := rules.Template.Algorithm
	if algorithm == "token" {
		return newToken(secret)
	}
	if newHash, ok := hashes[algorithm]; ok {
		key, err := rules.HMACKey(secret)
		if err != nil {
			return nil, err
		}
		return func(content func(io.Writer) error) (string, error) {
			mac := hmac.New(newHash, key)
			if err := content(mac); err != nil {
				return "", err
			}
			return encode(mac.Sum(nil)), nil
		}, nil
	}
	sign, err := newPrivateKey(algorithm, rules.Template.Key, secret)
	if err != nil {
		return nil, err
	}
	return func(content func(io.Writer) error) (string, error) {
		var message bytes.Buffer
		if err := content(&message); err != nil {
			return "", err
		}
		made, err := sign(message.Bytes())
		if err != nil {
			return "", fmt.Errorf("signing: %w", err)
		}
		return encode(made), nil
	}, nil
}

// newToken is for a secret that is sent as it is.
func newToken(secret string) (signature, error) {
	if !isHeaderValue(secret) {
		return nil, fmt.Errorf("%w: it is sent in a header as it is, and holds a character that a header cannot: use visible ASCII characters", webhook.ErrKey)
	}
	return func(content func(io.Writer) error) (string, error) { return secret, content(io.Discard) }, nil
}

// encoder writes the bytes of a signature as text.
func encoder(encoding string) func([]byte) string {
	switch encoding {
	case "base64":
		return base64.StdEncoding.EncodeToString
	case "base64url":
		return base64.RawURLEncoding.EncodeToString
	}
	return hex.EncodeToString
}

// newPrivateKey reads a private key for an algorithm.
func newPrivateKey(algorithm, written, secret string) (func(message []byte) ([]byte, error), error) {
	key, err := readPrivateKey(algorithm, written, secret)
	if err != nil {
		return nil, err
	}
	switch k := key.(type) {
	case ed25519.PrivateKey:
		if algorithm == "ed25519" {
			return func(message []byte) ([]byte, error) { return ed25519.Sign(k, message), nil }, nil
		}
	case *ecdsa.PrivateKey:
		if algorithm == "ecdsa-p256-sha256" && k.Curve == elliptic.P256() {
			return func(message []byte) ([]byte, error) {
				digest := sha256.Sum256(message)
				return ecdsa.SignASN1(rand.Reader, k, digest[:])
			}, nil
		}
	case *rsa.PrivateKey:
		if k.N.BitLen() < minRSABits {
			return nil, fmt.Errorf("%w: it is an RSA key of %d bits, which is too weak: use one of at least %d", webhook.ErrKey, k.N.BitLen(), minRSABits)
		}
		if algorithm == "rsa-sha256" {
			return func(message []byte) ([]byte, error) {
				digest := sha256.Sum256(message)
				return rsa.SignPKCS1v15(rand.Reader, k, crypto.SHA256, digest[:])
			}, nil
		}
	}
	return nil, fmt.Errorf("%w: it is a private key of another kind than %s: give one of that kind", webhook.ErrKey, algorithm)
}
