package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"time"
)

// The keys of the requests are made up, and the same at each run.

// secret is a raw secret with the prefix that the provider gives its own.
func secret(name, prefix string) string {
	sum := sha256.Sum256([]byte(name))
	return prefix + hex.EncodeToString(sum[:])
}

// whsec is a secret of Standard Webhooks.
func whsec(name string) string {
	sum := sha256.Sum256([]byte(name))
	return "whsec_" + base64.StdEncoding.EncodeToString(sum[:])
}

// whsecKey is the key of such a secret.
func whsecKey(name string) []byte {
	sum := sha256.Sum256([]byte(name))
	return sum[:]
}

// private is an Ed25519 key.
func private(name string) ed25519.PrivateKey { return ed25519.NewKeyFromSeed(whsecKey(name)) }

// publicHex is the public half of it, as Discord shows it.
func publicHex(name string) string {
	return hex.EncodeToString(private(name).Public().(ed25519.PublicKey))
}

// mac is the HMAC-SHA256 that a provider's documentation tells its users to
// compute.
func mac(key []byte, content string) []byte {
	m := hmac.New(sha256.New, key)
	_, _ = io.WriteString(m, content)
	return m.Sum(nil)
}

func hexMAC(key, content string) string { return hex.EncodeToString(mac([]byte(key), content)) }

func base64MAC(key, content string) string {
	return base64.StdEncoding.EncodeToString(mac([]byte(key), content))
}

// unix is a time in Unix seconds.
func unix(now time.Time) string { return strconv.FormatInt(now.Unix(), 10) }

// asJSON adds the header that most requests have.
func asJSON(headers map[string]string) map[string]string {
	headers["Content-Type"] = "application/json"
	return headers
}

// http makes the request for the libraries that want one.
func (r request) http() *http.Request {
	target := r.Target
	if target == "" {
		target = "https://hooks.example.com/in"
	}
	req := httptest.NewRequest(http.MethodPost, target, bytes.NewReader(r.Body))
	for name, value := range r.Headers {
		req.Header.Set(name, value)
	}
	return req
}
