package egress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// ErrBlocked is wrapped by the error of a connection to an address that is not
// public. The message names the address and the rule.
var ErrBlocked = errors.New("blocked: the address is not public")

// NewClient makes an HTTP client that connects to public addresses only,
// whatever a name resolves to: each address is judged when it is dialled. It
// follows no redirects, does not use a proxy, and gives a request 10 s.
func NewClient() *http.Client {
	dialer := &net.Dialer{Timeout: 5 * time.Second, ControlContext: control}
	return &http.Client{
		Transport: &http.Transport{
			DialContext:            dialer.DialContext,
			ForceAttemptHTTP2:      true,
			MaxIdleConns:           16,
			IdleConnTimeout:        90 * time.Second,
			TLSHandshakeTimeout:    5 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       10 * time.Second,
	}
}

// control refuses a connection before it is made.
func control(_ context.Context, _, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %q is no address", ErrBlocked, address)
	}
	addr := to.Addr().WithZone("").Unmap()
	if rule := Rule(addr); rule != "" {
		return fmt.Errorf("%w: %s is %s", ErrBlocked, addr, rule)
	}
	return nil
}
