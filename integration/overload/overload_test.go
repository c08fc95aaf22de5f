package main

import (
	"os"
	"testing"
	"time"
)

// TestOverload is a short run of the command.
func TestOverload(t *testing.T) {
	t.Setenv("GOMAXPROCS", "1")
	if err := run(t.Context(), os.Stdout, options{duration: 5 * time.Second, untimed: true, factor: 3, memory: 768, data: 1000}); err != nil {
		t.Error(err)
	}
}
