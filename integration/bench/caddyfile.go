package main

import (
	"fmt"
	"strings"
)

// secret signs what is delivered. It protects nothing.
const secret = "whsec_YmVuY2htYXJrcy1zaWduLXdpdGgtdGhpcy1zZWNyZXQ=" //nolint:gosec // as it says

// eventType is the type of the events that are measured.
const eventType = "message.created"

// endpoint is one in a Caddyfile.
type endpoint struct {
	id     string
	url    string
	tenant string
	events string
	extra  []string // further lines
}

// senderCaddyfile is a Caddy that publishes at /events.
func senderCaddyfile(c *caddy, endpoints ...endpoint) string {
	var text strings.Builder
	fmt.Fprintf(&text, "{\n\tadmin %s\n\tauto_https off\n\twebhooks {\n\t\tegress {\n\t\t\tallow 127.0.0.1\n\t\t\tallow_http\n\t\t}\n", c.admin)
	for _, e := range endpoints {
		fmt.Fprintf(&text, "\t\tendpoint %s %s {\n\t\t\tsecret %s\n", e.id, e.url, secret)
		if e.tenant != "" {
			fmt.Fprintf(&text, "\t\t\ttenant %s\n", e.tenant)
		}
		if e.events != "" {
			fmt.Fprintf(&text, "\t\t\tevents %s\n", e.events)
		}
		for _, line := range e.extra {
			fmt.Fprintf(&text, "\t\t\t%s\n", line)
		}
		text.WriteString("\t\t}\n")
	}
	fmt.Fprintf(&text, "\t}\n}\n\nhttp://%s {\n\thandle /events {\n\t\twebhook_publish {\n\t\t\tmax_size 4MiB\n\t\t}\n\t}\n}\n", c.site)
	return text.String()
}

// gate is how a Caddy passes requests on.
type gate struct {
	receive bool // through webhook_receive
	buffers bool // reverse_proxy reads them as a whole first
}

// gateCaddyfile is a Caddy that passes requests on to an upstream.
func gateCaddyfile(c *caddy, upstream string, g gate) string {
	receive, buffers := "", ""
	if g.receive {
		receive = fmt.Sprintf("\twebhook_receive standard {\n\t\tsecret %s\n\t\trate 1000000/s burst 1000000 by {client_ip}\n\t\tdedupe 24h {\n\t\t\tcapacity 10000000\n\t\t}\n\t}\n", secret)
	}
	if g.buffers {
		buffers = "\t\trequest_buffers 1MiB\n"
	}
	return fmt.Sprintf("{\n\tadmin %s\n\tauto_https off\n}\n\nhttp://%s {\n%s\treverse_proxy %s {\n%s\t\ttransport http {\n\t\t\tkeepalive_idle_conns_per_host 256\n\t\t}\n\t}\n}\n", c.admin, c.site, receive, upstream, buffers)
}
