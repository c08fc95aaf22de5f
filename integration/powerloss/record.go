package main

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/manysends/caddy-webhooks/integration/internal/loadtest"
)

// record runs Caddy under load with its writes traced, and returns the paths of
// its store and of the trace.
func record(o options, home string) (store, trace string, err error) {
	scene, err := loadtest.NewScene(o.binary, home, map[string]loadtest.Behaviour{"fast": {}, "flaky": {FailEvery: 3}})
	if err != nil {
		return "", "", err
	}
	defer scene.Site.Close()
	trace = filepath.Join(home, "trace")
	// -D: what is started is Caddy itself, and strace goes with it.
	scene.Wrap = []string{
		"strace", "-D", "-f", "-qq", "-y", "-xx", "-s", "70000", "--seccomp-bpf", "-e", "signal=none",
		"-e", "trace=pwrite64,write,fsync,fdatasync,ftruncate,unlink,unlinkat", "-o", trace,
	}
	scene.Publishers.ReceiverURL = ""
	scene.Publishers.Data = 2000 // so that the log is moved into the file now and then
	scene.Publishers.Pause = 2 * time.Millisecond
	if err := scene.Start(scene.Caddyfile("first")); err != nil {
		return "", "", err
	}
	scene.Publishers.Start()
	<-time.After(o.load)
	killed := scene.Kill()
	scene.Publishers.Stop()
	if n := scene.Publishers.Acks.Load(); n == 0 {
		return "", "", fmt.Errorf("no event was acknowledged:\n%s", scene.Output())
	}
	return scene.Store, trace, killed
}
