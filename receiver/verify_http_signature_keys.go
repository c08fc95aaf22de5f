package receiver

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/manysends/caddy-webhooks/webhook"
)

// The algorithms of HTTP Message Signatures (RFC 9421, section 3.3).
const (
	messageHMAC    = "hmac-sha256"
	messageEd25519 = "ed25519"
	messageP256    = "ecdsa-p256-sha256"
	messagePSS     = "rsa-pss-sha512"
	messagePKCS1   = "rsa-v1_5-sha256"
)

var messageAlgorithms = []string{messageHMAC, messageEd25519, messageP256, messagePSS, messagePKCS1}

// messageKeys are the keys of one algorithm. The algorithm is that of the
// configuration and never that of the request, so that no public key is taken
// for a secret.
type messageKeys struct {
	algorithm string
	shared    sharedKeys
	public    []any
}

// newMessageKeys reads the secrets. Errors about one wrap [webhook.ErrKey].
func newMessageKeys(o schemeOptions) (k messageKeys, err error) {
	k.algorithm = messageHMAC
	if algorithm := o.parameters["algorithm"]; algorithm != "" {
		k.algorithm = algorithm
	}
	if !slices.Contains(messageAlgorithms, k.algorithm) {
		return k, fmt.Errorf("parameters.algorithm is %q: use one of %s", k.algorithm, strings.Join(messageAlgorithms, ", "))
	}
	if k.algorithm != messageHMAC && o.key != "" {
		return k, fmt.Errorf("key is %s, and public keys are written in PEM form or base64: leave key out", o.key)
	}
	for _, secret := range o.secrets {
		if k.algorithm == messageHMAC {
			key, err := readMessageSecret(o.key, secret)
			if err != nil {
				return k, err
			}
			k.shared = append(k.shared, key)
			continue
		}
		key, err := parsePublicKey(secret)
		if err != nil {
			return k, err
		}
		if !k.takes(key) {
			return k, fmt.Errorf("%w: the public key is not one for %s: give the right one, or set parameters.algorithm", webhook.ErrKey, k.algorithm)
		}
		k.public = append(k.public, key)
	}
	return k, nil
}

// readMessageSecret reads an HMAC secret that is written as raw, hex or base64.
func readMessageSecret(written, secret string) ([]byte, error) {
	var key []byte
	var err error
	switch written {
	case "", "raw":
		if isPEM(secret) {
			return nil, fmt.Errorf("%w: this is a public key, and %s takes a secret: set parameters.algorithm", webhook.ErrKey, messageHMAC)
		}
		return []byte(secret), nil
	case "hex":
		key, err = hex.DecodeString(secret)
	case "base64":
		key, err = base64.StdEncoding.DecodeString(secret)
	default:
		return nil, fmt.Errorf("key is %s: use raw, hex or base64", written)
	}
	if err != nil || len(key) == 0 {
		return nil, fmt.Errorf("%w: the secret is not %s: give it as the sender shows it, or change key", webhook.ErrKey, written)
	}
	return key, nil
}

// takes tells whether a public key is for the algorithm.
func (k *messageKeys) takes(key any) bool {
	switch key := key.(type) {
	case ed25519.PublicKey:
		return k.algorithm == messageEd25519
	case *ecdsa.PublicKey:
		return k.algorithm == messageP256 && key.Curve == elliptic.P256()
	case *rsa.PublicKey:
		return k.algorithm == messagePSS || k.algorithm == messagePKCS1
	}
	return false
}

// match is the index of the first key that has signed the base, or -1.
func (k *messageKeys) match(base, signature []byte) int {
	if k.algorithm == messageHMAC {
		return k.shared.match(sha256.New, signature, base)
	}
	return slices.IndexFunc(k.public, func(key any) bool { return k.verify(key, base, signature) })
}

func (k *messageKeys) verify(key any, base, signature []byte) bool {
	switch key := key.(type) {
	case ed25519.PublicKey:
		return ed25519.Verify(key, base, signature)
	case *ecdsa.PublicKey:
		const half = 32
		if len(signature) != 2*half {
			return false
		}
		sum := sha256.Sum256(base)
		r, s := new(big.Int).SetBytes(signature[:half]), new(big.Int).SetBytes(signature[half:])
		return ecdsa.Verify(key, sum[:], r, s)
	case *rsa.PublicKey:
		if k.algorithm == messagePSS {
			// The salt should have 64 bytes, but there are libraries that make it
			// as long as it can be; its length is no matter of security.
			sum := sha512.Sum512(base)
			return rsa.VerifyPSS(key, crypto.SHA512, sum[:], signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthAuto}) == nil
		}
		sum := sha256.Sum256(base)
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature) == nil
	}
	return false
}
