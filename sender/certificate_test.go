package sender

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"net/http/httptest"
	"testing"
	"time"
)

// CertificateOptions say what a test certificate is like. The zero value is one
// for 127.0.0.1, valid now, of an authority of its own.
type CertificateOptions struct {
	Hosts      []string
	Addresses  []string
	From, To   time.Time
	SelfSigned bool
}

// NewCertificate makes a certificate, and the pool that trusts its issuer.
func NewCertificate(t testing.TB, o CertificateOptions) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	if o.Hosts == nil && o.Addresses == nil {
		o.Addresses = []string{"127.0.0.1"}
	}
	if o.To.IsZero() {
		o.From, o.To = time.Now().Add(-time.Hour), time.Now().Add(1000*time.Hour)
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "crm.example"}, DNSNames: o.Hosts, NotBefore: o.From, NotAfter: o.To,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, s := range o.Addresses {
		leaf.IPAddresses = append(leaf.IPAddresses, net.ParseIP(s))
	}
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test Authority"}, NotBefore: o.From, NotAfter: o.To,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	authorityKey, leafKey := newKey(t), newKey(t)
	authorityDER := sign(t, authority, authority, authorityKey, authorityKey)
	leafDER := sign(t, leaf, authority, leafKey, authorityKey)
	if o.SelfSigned {
		leafDER = sign(t, leaf, leaf, leafKey, leafKey)
	}
	pool := x509.NewCertPool()
	parsed, err := x509.ParseCertificate(authorityDER)
	if err != nil {
		t.Fatal(err)
	}
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{leafDER}, PrivateKey: leafKey}, pool
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t testing.TB, c, by *x509.Certificate, key, byKey *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, c, by, &key.PublicKey, byKey)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// ServeTLS starts a server, that was not started yet, with a certificate, and
// returns the pool that trusts it.
func ServeTLS(t testing.TB, server *httptest.Server, o CertificateOptions) *x509.CertPool {
	t.Helper()
	certificate, pool := NewCertificate(t, o)
	if server.TLS == nil {
		server.TLS = &tls.Config{}
	}
	server.TLS.Certificates = []tls.Certificate{certificate}
	server.StartTLS()
	t.Cleanup(server.Close)
	return pool
}
