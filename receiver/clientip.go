package receiver

import (
	"net/http"
	"net/netip"
)

// remoteAddr is the address that the connection came from; the zero Addr
// where it has none, as on a Unix socket.
func remoteAddr(r *http.Request) netip.Addr {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return from.Addr()
}

// keyOfClient is what a client address is limited by. An IPv6 client usually
// has a whole /64 to itself (RFC 6177), so that is taken as one. All clients
// without an address count as one.
func keyOfClient(a netip.Addr) clientKey {
	a = a.Unmap().WithZone("")
	if !a.Is6() {
		return clientKey(a)
	}
	network, err := a.Prefix(64)
	if err != nil {
		return clientKey(a)
	}
	return clientKey(network.Addr())
}
