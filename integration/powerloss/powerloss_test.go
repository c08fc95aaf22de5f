package main

import (
	"os"
	"os/exec"
	"testing"
	"time"
)

// TestPowerLoss is a short run of the command.
func TestPowerLoss(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("strace is not installed: apt-get install strace")
	}
	if err := run(t.Context(), os.Stdout, options{cuts: 60, load: 3 * time.Second, seed: uint64(time.Now().UnixNano())}); err != nil {
		t.Error(err)
	}
}
