package sender

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/net/proxy"
)

// dialFunc connects to an address, as net.Dialer.DialContext does.
type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// maxProxyAnswer bounds what a proxy may say before the connection is through.
const maxProxyAnswer = 16 << 10

// throughProxy returns a dialFunc that reaches addresses by a forward proxy. It
// is given addresses that the guard has resolved and checked, never names, so
// that the proxy cannot be made to look one up and go elsewhere. Errors name
// the proxy without its password, by its host and port, which it returns as well.
func throughProxy(s string, direct dialFunc) (through dialFunc, name string, err error) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return nil, "", errors.New("it is not the URL of a proxy: write one such as http://proxy.internal:3128 or socks5://proxy.internal:1080")
	}
	if u.Port() == "" {
		return nil, "", fmt.Errorf("%s has no port: write one such as %s://%s:3128", u.Host, u.Scheme, u.Host)
	}
	switch u.Scheme {
	case "http":
		return func(ctx context.Context, _, address string) (net.Conn, error) {
			conn, err := connectThrough(ctx, u, address, direct)
			if err != nil {
				return nil, fmt.Errorf("the proxy %s: %w", u.Host, err)
			}
			return conn, nil
		}, u.Host, nil
	case "socks5":
		through, err = throughSOCKS(u, direct)
		return through, u.Host, err
	}
	return nil, "", fmt.Errorf("the scheme %q is not one of a proxy that is understood: use http or socks5", u.Scheme)
}

// connectThrough opens a tunnel with CONNECT (RFC 9110, section 9.3.6).
func connectThrough(ctx context.Context, u *url.URL, address string, direct dialFunc) (_ net.Conn, err error) {
	conn, err := direct(ctx, "tcp", u.Host)
	if err != nil {
		return nil, err
	}
	// A connection does not know of contexts, but of deadlines.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer func() {
		if !stop() && err == nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			conn.Close()
		}
	}()
	request := "CONNECT " + address + " HTTP/1.1\r\nHost: " + address + "\r\n"
	if u.User != nil {
		password, _ := u.User.Password()
		request += "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password)) + "\r\n"
	}
	if _, err := io.WriteString(conn, request+"\r\n"); err != nil {
		return nil, err
	}
	reader := bufio.NewReader(io.LimitReader(conn, maxProxyAnswer))
	resp, err := http.ReadResponse(reader, &http.Request{Method: http.MethodConnect})
	if err != nil {
		return nil, fmt.Errorf("it did not answer the CONNECT: %w", err)
	}
	resp.Body.Close()
	switch {
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("it answered the CONNECT to %s with %d", address, resp.StatusCode)
	case reader.Buffered() > 0:
		return nil, errors.New("it sent something of its own after its answer")
	}
	return conn, nil
}

// throughSOCKS connects by SOCKS5 (RFC 1928).
func throughSOCKS(u *url.URL, direct dialFunc) (dialFunc, error) {
	var auth *proxy.Auth
	if u.User != nil {
		password, _ := u.User.Password()
		auth = &proxy.Auth{User: u.User.Username(), Password: password}
	}
	dialer, err := proxy.SOCKS5("tcp", u.Host, auth, forward(direct))
	if err != nil {
		return nil, fmt.Errorf("the proxy %s: %w", u.Host, err)
	}
	through, ok := dialer.(proxy.ContextDialer)
	if !ok {
		return nil, fmt.Errorf("the proxy %s cannot be dialled with a deadline", u.Host)
	}
	return through.DialContext, nil
}

// forward is a dialFunc in the form of package proxy.
type forward dialFunc

// Dial implements proxy.Dialer.
func (f forward) Dial(network, address string) (net.Conn, error) {
	return f(context.Background(), network, address)
}

// DialContext implements proxy.ContextDialer.
func (f forward) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return f(ctx, network, address)
}
