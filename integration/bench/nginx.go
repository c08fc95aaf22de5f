package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// nginx is an nginx that passes requests on.
type nginx struct {
	site  string
	home  string
	cmd   *exec.Cmd
	ended chan struct{}
}

// startNginx starts an nginx that passes everything on to the sink, or returns
// nil if none is installed.
func (b *bench) startNginx(ctx context.Context) (*nginx, error) {
	program, err := exec.LookPath("nginx")
	if err != nil {
		b.say("nginx is not installed: it is left out")
		return nil, nil //nolint:nilerr // it is a comparison that may be missing
	}
	home, err := os.MkdirTemp(b.scratch, "nginx-")
	if err != nil {
		return nil, err
	}
	site, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	config := filepath.Join(home, "nginx.conf")
	if err := os.WriteFile(config, []byte(nginxConfig(home, site, b.sinkAddress)), 0o600); err != nil {
		return nil, err
	}
	n := &nginx{site: site, home: home, ended: make(chan struct{})}
	n.cmd = exec.CommandContext(ctx, program, "-p", home, "-c", config, "-e", filepath.Join(home, "error.log")) //nolint:gosec // it is looked up on purpose
	var out strings.Builder
	n.cmd.Stdout, n.cmd.Stderr = &out, &out
	// Its workers end with it when it is asked, not when it is killed.
	n.cmd.Cancel = func() error { return n.cmd.Process.Signal(syscall.SIGTERM) }
	if err := n.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = n.cmd.Wait()
		close(n.ended)
	}()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if takesConnections(ctx, site) && len(n.pids()) == 1+runtime.NumCPU() {
			return n, nil
		}
	}
	return nil, errors.Join(fmt.Errorf("nginx does not serve: %s", out.String()), n.remove())
}

func nginxConfig(home, site, upstream string) string {
	return fmt.Sprintf(`daemon off;
worker_processes %[4]d;
pid %[1]s/pid;
events { worker_connections 4096; }
http {
	access_log off;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	client_max_body_size 4m;
	keepalive_requests 1000000000;
	upstream sink {
		server %[3]s;
		keepalive 256;
		keepalive_requests 1000000000;
	}
	server {
		listen %[2]s;
		location / {
			proxy_pass http://sink;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
		}
	}
}
`, home, site, upstream, runtime.NumCPU())
}

// pids are the process and its workers.
func (n *nginx) pids() []int {
	own := n.cmd.Process.Pid
	pids := []int{own}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", own, own))
	if err != nil {
		return pids
	}
	for _, field := range strings.Fields(string(children)) {
		if pid, err := strconv.Atoi(field); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// remove stops nginx and deletes its home.
func (n *nginx) remove() error {
	if err := n.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-n.ended
	return os.RemoveAll(n.home)
}
