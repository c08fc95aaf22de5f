package load

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// tenantDigits is how many digits the name of a tenant has.
const tenantDigits = 6

// Tenant is the name of the tenant of the events whose number, divided by how
// many tenants there are, leaves n.
func Tenant(n int) string { return fmt.Sprintf("t%0*d", tenantDigits, n) }

// maker makes the requests of one connection. What it returns holds until the
// next one.
type maker interface {
	// request makes the request with the events that begin with this one.
	request(m Mark) []byte
}

// data is JSON of a size in bytes.
func data(size int) string {
	const frame = `{"text":""}`
	return `{"text":"` + strings.Repeat("x", max(size-len(frame), 0)) + `"}`
}

// publication is a request that publishes events.
type publication struct {
	text    []byte
	ids     []int // where the IDs stand
	tenants []int // where the digits of the tenants stand
	of      int   // how many tenants there are
}

func newPublication(j *Job) *publication {
	var body bytes.Buffer
	p := &publication{of: j.Tenants}
	if j.Batch > 1 {
		body.WriteByte('[')
	}
	for i := range max(j.Batch, 1) {
		if i > 0 {
			body.WriteByte(',')
		}
		body.WriteString(`{"id":"`)
		p.ids = append(p.ids, body.Len())
		body.WriteString(strings.Repeat("0", MarkSize) + `","event":"` + j.Type + `"`)
		if j.Tenants > 0 {
			body.WriteString(`,"tenant":"t`)
			p.tenants = append(p.tenants, body.Len())
			body.WriteString(strings.Repeat("0", tenantDigits) + `"`)
		}
		body.WriteString(`,"data":` + data(j.Payload) + `}`)
	}
	if j.Batch > 1 {
		body.WriteByte(']')
	}
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", j.Path, j.Address, body.Len())
	for i := range p.ids {
		p.ids[i] += len(head)
	}
	for i := range p.tenants {
		p.tenants[i] += len(head)
	}
	p.text = append([]byte(head), body.Bytes()...)
	return p
}

func (p *publication) request(m Mark) []byte {
	for i, at := range p.ids {
		m.put(p.text[at:])
		if p.of > 0 {
			putDecimal(p.text[p.tenants[i]:p.tenants[i]+tenantDigits], int64(m.Number)%int64(p.of))
		}
		m.Number++
	}
	return p.text
}

// signed is a delivery, signed as a sender signs it.
type signed struct {
	secret                *webhook.Secret
	text                  []byte
	id, timestamp, signed int // where they stand
	body                  []byte
	scratch               []byte
}

// signatureSize is the length of a signature in its header.
const signatureSize = len("v1,") + 44

func newSigned(j *Job, secret *webhook.Secret) *signed {
	body := data(j.Payload)
	var text bytes.Buffer
	s := &signed{secret: secret}
	place := func(header string, size int) int {
		text.WriteString(header + ": ")
		at := text.Len()
		text.WriteString(strings.Repeat("0", size) + "\r\n")
		return at
	}
	fmt.Fprintf(&text, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n", j.Path, j.Address, len(body))
	s.id = place("webhook-id", MarkSize)
	s.timestamp = place("webhook-timestamp", len("1700000000"))
	s.signed = place("webhook-signature", signatureSize)
	text.WriteString("\r\n" + body)
	s.text = text.Bytes()
	s.body = s.text[len(s.text)-len(body):]
	return s
}

func (s *signed) request(m Mark) []byte {
	now := time.Now().Unix()
	m.put(s.text[s.id:])
	putDecimal(s.text[s.timestamp:s.timestamp+len("1700000000")], now)
	s.scratch = s.secret.AppendSignature(s.scratch[:0], string(s.text[s.id:s.id+MarkSize]), now, s.body)
	copy(s.text[s.signed:s.signed+signatureSize], s.scratch)
	return s.text
}
