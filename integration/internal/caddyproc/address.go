package caddyproc

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// usedPorts are the ports that FreeAddress has given out.
var usedPorts sync.Map

// FreeAddress is a loopback address that nobody listens on. Its port lies below
// those that the system gives out by itself, so that none of the many servers
// and connections of other tests takes it in the meantime.
func FreeAddress() (string, error) {
	const lowest, ports = 20000, 10000
	for range 100 {
		port := lowest + rand.IntN(ports)
		if _, used := usedPorts.LoadOrStore(port, nil); used {
			continue
		}
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))) //nolint:noctx // it is closed at once
		if err != nil {
			continue
		}
		return l.Addr().String(), l.Close()
	}
	return "", errors.New("no free port found")
}
