package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/manysends/caddy-webhooks/integration/internal/loadtest"
)

// recording is what a Caddy under load has done to its disk, and what was
// promised meanwhile.
type recording struct {
	*trace

	seed  []byte   // the receiver's file as it was before
	seeds []string // what that must remember
	sent  []string // all that may have been processed by the receiver
}

// expireAfter is when the receiver's file becomes one that is to be written
// anew, counted from before Caddy starts.
const expireAfter = 3 * time.Second

// record runs Caddy under load with its writes traced.
func record(o options, home string) (*recording, error) {
	scene, err := loadtest.NewScene(o.binary, home, map[string]loadtest.Behaviour{"fast": {}, "flaky": {FailEvery: 3}})
	if err != nil {
		return nil, err
	}
	defer scene.Site.Close()
	r := new(recording)
	seen := filepath.Join(home, seenFile)
	if r.seeds, err = sow(seen, expireAfter); err != nil {
		return nil, err
	}
	if r.seed, err = os.ReadFile(seen); err != nil {
		return nil, err
	}
	path := filepath.Join(home, "strace.txt")
	// -D: what is started is Caddy itself, and strace goes with it.
	scene.Wrap = []string{
		"strace", "-D", "-f", "-ttt", "-qq", "-y", "-xx", "-s", "70000", "--seccomp-bpf", "-e", "signal=none",
		"-e", "trace=openat,pwrite64,write,fsync,fdatasync,ftruncate,unlink,unlinkat,rename,renameat,renameat2", "-o", path,
	}
	scene.Publishers.Data = 2000 // so that the log is moved into the file now and then
	scene.Publishers.Pause = 2 * time.Millisecond
	if err := scene.Start(scene.Caddyfile("first")); err != nil {
		return nil, err
	}
	scene.Publishers.Start()
	<-time.After(o.load)
	killed := scene.Kill()
	scene.Publishers.Stop()
	if killed != nil {
		return nil, killed
	}
	if n := scene.Publishers.Acks.Load(); n == 0 {
		return nil, fmt.Errorf("no event was acknowledged:\n%s", scene.Output())
	}
	r.sent = append(r.sent, r.seeds...)
	r.sent = append(r.sent, scene.Publishers.Received.Sent()...)
	r.trace, err = readTrace(path, home, map[string]int64{seenFile: int64(len(r.seed))})
	return r, err
}
