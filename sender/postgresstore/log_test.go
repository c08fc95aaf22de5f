package postgresstore

import (
	"bytes"
	"log/slog"
	"sync"
)

// recorder is a logger, and what was logged so far.
func recorder() (*slog.Logger, func() string) {
	var r recording
	return slog.New(slog.NewTextHandler(&r, nil)), r.text
}

type recording struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (r *recording) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buffer.Write(b)
}

func (r *recording) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buffer.String()
}
