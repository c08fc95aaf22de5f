package redis

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/caddyserver/caddy/v2"
)

// TLS is how servers are talked to over TLS. The certificate of each must be for
// the address by which it is reached: with Sentinels and clusters, the one that
// these announce. The values may be placeholders.
type TLS struct {
	// Files with the certificates of the authorities, in PEM form, that the
	// servers' own must be signed by. They are read when the configuration is
	// loaded. Default: those that the system trusts.
	CA []string `json:"ca,omitempty"`

	// The file with the certificate to show to servers, in PEM form. It is read
	// again for each connection, so that it may be replaced. Default: none.
	Certificate string `json:"certificate,omitempty"`

	// The file with its key. Required with a certificate.
	Key string `json:"key,omitempty"`

	// The name that the servers' certificates must be for. Default: the address
	// of each.
	ServerName string `json:"server_name,omitempty"`
}

// settings are those of Go, and what the files of authorities hold. The other
// files must be there.
func (t *TLS) settings(repl *caddy.Replacer) (c *tls.Config, authorities []byte, err error) {
	c = &tls.Config{MinVersion: tls.VersionTLS12}
	for _, name := range t.CA {
		file, err := expanded(repl, "ca", name)
		if err != nil {
			return nil, nil, err
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, nil, fmt.Errorf("ca cannot be read: %w: name a file that is there and may be read", err)
		}
		authorities = append(authorities, text...)
	}
	if len(t.CA) > 0 {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(authorities) {
			return nil, nil, fmt.Errorf("ca has no certificate in %q: name files in PEM form", t.CA)
		}
	}
	if t.ServerName != "" {
		if c.ServerName, err = expanded(repl, "server_name", t.ServerName); err != nil {
			return nil, nil, err
		}
	}
	switch {
	case t.Certificate == "" && t.Key == "":
		return c, authorities, nil
	case t.Certificate == "" || t.Key == "":
		return nil, nil, errors.New("there is one of certificate and key: name both, or neither")
	}
	certificate, err := expanded(repl, "certificate", t.Certificate)
	if err != nil {
		return nil, nil, err
	}
	key, err := expanded(repl, "key", t.Key)
	if err != nil {
		return nil, nil, err
	}
	load := func() (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(certificate, key)
		if err != nil {
			return nil, fmt.Errorf("the certificate and its key cannot be used: %w: name two files in PEM form that belong together", err)
		}
		return &pair, nil
	}
	if _, err := load(); err != nil {
		return nil, nil, err
	}
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return load() }
	return c, authorities, nil
}
