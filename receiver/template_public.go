package receiver

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"

	"github.com/manysends/caddy-webhooks/internal/smallorder"
	"github.com/manysends/caddy-webhooks/webhook"
)

// publicKey tells whether a signature is that of its key over a message.
type publicKey func(message, signature []byte) bool

// publicKeyReader reads a public key. Errors wrap [webhook.ErrKey].
type publicKeyReader func(s, key string) (publicKey, error)

// minRSABits is the smallest RSA key that NIST SP 800-131A allows.
const minRSABits = 2048

func readEd25519(s, key string) (publicKey, error) {
	var read []byte
	var err error
	switch key {
	case keySPKI:
		parsed, err := readSPKI(s)
		if err != nil {
			return nil, err
		}
		public, ok := parsed.(ed25519.PublicKey)
		if !ok {
			return nil, wrongKind("Ed25519", parsed)
		}
		read = public
	case keyBase64:
		read, err = decodeBase64(base64.RawStdEncoding, s)
	default:
		read, err = hex.DecodeString(s)
	}
	if err != nil || len(read) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("%w: it must be the %s of the %d bytes of an Ed25519 public key, as the provider shows it", webhook.ErrKey, key, ed25519.PublicKeySize)
	}
	public := ed25519.PublicKey(read)
	if smallorder.Is(public) {
		return nil, fmt.Errorf("%w: anybody can make signatures for this public key, which is nobody's: copy that of the provider", webhook.ErrKey)
	}
	return func(message, signature []byte) bool {
		return len(signature) == ed25519.SignatureSize && ed25519.Verify(public, message, signature)
	}, nil
}

func readECDSA(s, _ string) (publicKey, error) {
	parsed, err := readSPKI(s)
	if err != nil {
		return nil, err
	}
	public, ok := parsed.(*ecdsa.PublicKey)
	if !ok || public.Curve != elliptic.P256() {
		return nil, wrongKind("ECDSA P-256", parsed)
	}
	return func(message, signature []byte) bool {
		digest := sha256.Sum256(message)
		if ecdsa.VerifyASN1(public, digest[:], signature) {
			return true
		}
		// The other form is both numbers at full length, as in JOSE.
		const half = 32
		if len(signature) != 2*half {
			return false
		}
		r, t := new(big.Int).SetBytes(signature[:half]), new(big.Int).SetBytes(signature[half:])
		return ecdsa.Verify(public, digest[:], r, t)
	}, nil
}

func readRSA(s, _ string) (publicKey, error) {
	parsed, err := readSPKI(s)
	if err != nil {
		return nil, err
	}
	public, ok := parsed.(*rsa.PublicKey)
	if !ok {
		return nil, wrongKind("RSA", parsed)
	}
	if public.N.BitLen() < minRSABits {
		return nil, fmt.Errorf("%w: it is an RSA key of %d bits, which is too weak: use one of at least %d", webhook.ErrKey, public.N.BitLen(), minRSABits)
	}
	return func(message, signature []byte) bool {
		digest := sha256.Sum256(message)
		return rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], signature) == nil
	}, nil
}

// readSPKI reads a public key as PEM, or as the base64 of its DER form; also
// one that is in a certificate.
func readSPKI(s string) (any, error) {
	wrong := fmt.Errorf("%w: it must be a public key as PEM (-----BEGIN PUBLIC KEY-----), or the base64 between its first and last line", webhook.ErrKey)
	var der []byte
	kind := "PUBLIC KEY"
	if strings.Contains(s, "-----BEGIN") {
		block, _ := pem.Decode([]byte(strings.TrimSpace(s)))
		if block == nil {
			return nil, wrong
		}
		der, kind = block.Bytes, block.Type
	} else {
		var err error
		if der, err = decodeBase64(base64.RawStdEncoding, strings.Join(strings.Fields(s), "")); err != nil {
			return nil, wrong
		}
	}
	switch kind {
	case "PUBLIC KEY":
		if key, err := x509.ParsePKIXPublicKey(der); err == nil {
			return key, nil
		}
	case "RSA PUBLIC KEY":
		if key, err := x509.ParsePKCS1PublicKey(der); err == nil {
			return key, nil
		}
	case "CERTIFICATE":
		if certificate, err := x509.ParseCertificate(der); err == nil {
			return certificate.PublicKey, nil
		}
	default:
		if strings.Contains(kind, "PRIVATE") {
			return nil, fmt.Errorf("%w: it is the sender's private key: give the public one, and replace the private one if it was shared", webhook.ErrKey)
		}
	}
	return nil, wrong
}

func wrongKind(want string, key any) error {
	return fmt.Errorf("%w: it is a %s, and the algorithm takes an %s public key", webhook.ErrKey, kindOf(key), want)
}

func kindOf(key any) string {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return "RSA key"
	case *ecdsa.PublicKey:
		return "ECDSA key on the curve " + k.Params().Name
	case ed25519.PublicKey:
		return "Ed25519 key"
	}
	return "key of another kind"
}
