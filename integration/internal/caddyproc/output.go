package caddyproc

import (
	"strings"
	"sync"
)

// tailSize is how much of what a process prints is kept, in bytes.
const tailSize = 4 << 20

// Output keeps the end of what a process prints. The zero value is ready; all
// methods are safe for concurrent use.
type Output struct {
	mu   sync.Mutex
	text []byte
}

// Write implements [io.Writer]. It never fails.
func (o *Output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text = append(o.text, b...)
	if over := len(o.text) - tailSize; over > tailSize {
		o.text = append([]byte(nil), o.text[over:]...)
	}
	return len(b), nil
}

// String is what has been printed, or the end of it.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.text)
}

// Has tells whether a text is in what is kept.
func (o *Output) Has(text string) bool { return strings.Contains(o.String(), text) }
