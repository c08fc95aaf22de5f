package load

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// Secure is a site of a sink that is reached over TLS.
type Secure struct {
	// Address is the host and port.
	Address string `json:"address"`

	// CA is the certificate that signs the site's, in PEM form: its own.
	CA string `json:"ca"`
}

// Secure opens a site over TLS whose deliveries count as all others do: with
// HTTP/2 alone, or with HTTP/1.1 alone. It closes with the sink.
func (s *Sink) Secure(ctx context.Context, http2 bool) (Secure, error) {
	certificate, ca, err := ownCertificate()
	if err != nil {
		return Secure{}, err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return Secure{}, err
	}
	site := Secure{Address: listener.Addr().String(), CA: ca}
	config := &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS13}
	if !http2 {
		config.NextProtos = []string{"http/1.1"}
		s.add(tls.NewListener(listener, config), s.accept)
		return site, nil
	}
	server := &http.Server{
		Handler:     &secondHandler{sink: s},
		TLSConfig:   config,
		Protocols:   new(http.Protocols),
		ErrorLog:    log.New(io.Discard, "", 0),
		ReadTimeout: time.Minute,
	}
	server.Protocols.SetHTTP2(true)
	s.add(listener, func(l net.Listener) {
		_ = server.ServeTLS(l, "", "") // until the listener is closed
		_ = server.Close()
	})
	return site, nil
}

// ownCertificate makes a certificate for the loopback address that signs itself,
// with a key as most sites have it.
func ownCertificate() (tls.Certificate, string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, "", err
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, "", err
	}
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, string(ca), nil
}

// secondHandler takes deliveries in over HTTP/2, which net/http speaks.
type secondHandler struct {
	sink  *Sink
	share atomic.Pointer[share]
	n     atomic.Int64
}

func (h *secondHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	t := h.sink.tally.Load()
	mine := h.share.Load()
	if mine == nil || mine.tally != t {
		made := t.newShare()
		if h.share.CompareAndSwap(mine, made) {
			mine = made
		} else {
			mine = h.share.Load()
		}
	}
	id := r.Header.Get("Webhook-Id")
	m, ok := parseMark([]byte(id))
	mine.arrived(m, ok, targetOf([]byte(r.URL.Path)))
	if every := int64(t.plan.VerifyEvery); every > 0 && (h.n.Add(1)-1)%every == 0 {
		mine.verified(h.sink.secret.Load().VerifySignature(id, r.Header.Get("Webhook-Timestamp"), body, r.Header.Get("Webhook-Signature")))
	}
	w.Header()["Date"] = nil
	w.WriteHeader(http.StatusOK)
}
