package redisseen

import (
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// The defaults of [Options].
const (
	DefaultPrefix  = "webhooks"
	DefaultName    = "receiver"
	DefaultTimeout = time.Second
	DefaultLease   = 15 * time.Second
)

// Options are the options of [Open]. URL must be set.
type Options struct {
	// URL says where Redis is: redis://user:password@host:6379/0, or with
	// rediss for TLS, or unix:///path/to/redis.sock. Further nodes of a cluster
	// follow as ?addr=host2:6379&addr=…; with ?master_set=name the hosts are
	// Sentinels, whose own user and password, if they have one, are
	// sentinel_username and sentinel_password.
	URL string

	// TLS is how servers are talked to whose URL begins with rediss; with others
	// it must be nil. The certificate of each must be for the address by which
	// it is reached, or else for the ServerName. Default: the authorities that
	// the system trusts, and no certificate of our own.
	TLS *tls.Config

	// Sentinel is for a Redis that Sentinels watch, in place of what the URL
	// says of them. The zero value is that the URL says it.
	Sentinel Sentinel

	// Prefix begins all keys, so that programs can share a Redis. It must not
	// have braces. Default: [DefaultPrefix].
	Prefix string

	// Name is the receiver. Those of one name know the same. Default:
	// [DefaultName].
	Name string

	// Timeout is how long Redis may take to answer, and to be connected to.
	// Default: [DefaultTimeout].
	Timeout time.Duration

	// Lease is how long the events of a process that is gone stay claimed.
	// Default: [DefaultLease].
	Lease time.Duration

	// Random makes the tokens of claims. Default: that of crypto/rand.
	Random io.Reader
}

// Sentinel says which Redis the hosts of the URL, which are Sentinels, are asked
// for.
type Sentinel struct {
	MasterSet          string // what they call it
	Username, Password string // their own, if they have any
}

// Validate says what is wrong with the options. The error holds nothing of the
// URL, which may have a password.
func (o Options) Validate() error {
	_, err := o.resolve()
	return err
}

var errURL = errors.New("the URL of Redis cannot be understood: write redis://user:password@host:6379/0, or rediss:// for TLS, with special characters of the password percent-encoded")

// resolve fills in the defaults and makes the options of the client.
func (o *Options) resolve() (client rueidis.ClientOption, err error) {
	if o.Prefix == "" {
		o.Prefix = DefaultPrefix
	}
	if strings.ContainsAny(o.Prefix, "{}") {
		return client, fmt.Errorf("the prefix %q of the keys has braces, which would change where a cluster keeps them: leave them out", o.Prefix)
	}
	if o.Name == "" { // braces with nothing in them would not hold the keys in one slot
		o.Name = DefaultName
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Lease <= 0 {
		o.Lease = DefaultLease
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	u, err := url.Parse(o.URL)
	if err != nil || u.Opaque != "" || u.Host == "" && u.Scheme != "unix" {
		return client, errURL
	}
	if client, err = rueidis.ParseURL(o.URL); err != nil {
		return client, errURL
	}
	// What is read is either in the near set already or must be asked for.
	client.DisableCache = true
	// A command that may have been carried out is repeated here or not at all.
	client.DisableRetry = true
	client.Dialer.Timeout = o.Timeout
	client.ConnWriteTimeout = 2 * o.Timeout
	if client.ClientName == "" {
		client.ClientName = "caddy-webhooks"
	}
	if client.TLSConfig, err = o.tls(client.TLSConfig); err != nil {
		return client, err
	}
	o.sentinel(&client, u.Query())
	return client, nil
}

var errTLS = errors.New("there are settings for TLS, but the URL of Redis is for a connection without it: begin the URL with rediss://, or remove them")

// tls are the settings of TLS, given those that the URL makes, which are nil
// where it is for a connection without.
func (o *Options) tls(ofURL *tls.Config) (*tls.Config, error) {
	switch {
	case ofURL == nil && o.TLS == nil:
		return nil, nil
	case ofURL == nil:
		return nil, errTLS
	case o.TLS != nil:
		ofURL = o.TLS.Clone()
	default:
		// It is the first host's: others have names of their own.
		ofURL.ServerName = ""
	}
	ofURL.MinVersion = max(ofURL.MinVersion, tls.VersionTLS12)
	return ofURL, nil
}

// sentinel fills in what concerns Sentinels, if there are any.
func (o *Options) sentinel(client *rueidis.ClientOption, q url.Values) {
	s := &client.Sentinel
	s.Username, s.Password = q.Get("sentinel_username"), q.Get("sentinel_password")
	if o.Sentinel != (Sentinel{}) {
		s.MasterSet, s.Username, s.Password = o.Sentinel.MasterSet, o.Sentinel.Username, o.Sentinel.Password
	}
	if s.MasterSet == "" {
		return
	}
	s.Dialer, s.TLSConfig, s.ClientName = client.Dialer, client.TLSConfig, client.ClientName
	s.TopologyRefreshInterval = 5 * time.Second
}
