package sender

import (
	"encoding/binary"
	"io"
	"time"
)

// Clock tells the time and wakes the sender later. Tests bring their own.
type Clock interface {
	// Now is the current time.
	Now() time.Time

	// AfterFunc calls f in its own goroutine after d, unless the function it
	// returns is called before.
	AfterFunc(d time.Duration, f func()) (stop func())
}

// Now is the time by the sender's clock.
func (s *Sender) Now() time.Time { return s.clock.Now() }

// systemClock is the computer's own clock.
type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

func (systemClock) AfterFunc(d time.Duration, f func()) func() {
	t := time.AfterFunc(d, f)
	return func() { t.Stop() }
}

// jitter varies d by up to 20 % either way, so that what failed together does
// not come back together.
func jitter(d time.Duration, random io.Reader) time.Duration {
	var b [8]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return d
	}
	const resolution = 1 << 16
	share := int64(binary.LittleEndian.Uint64(b[:])%(2*resolution+1)) - resolution // -1 … +1
	return d + time.Duration(float64(d)*0.2*float64(share)/resolution)
}
