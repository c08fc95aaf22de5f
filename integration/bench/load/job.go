package load

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// Kinds of load.
const (
	// Publish posts events to webhook_publish.
	Publish = "publish"

	// Signed posts signed deliveries, as senders do.
	Signed = "signed"

	// Bare posts signed deliveries with net/http, as a program does that keeps
	// nothing and tries nothing again: the floor of what any sender costs.
	Bare = "bare"
)

// Job is load to be made.
type Job struct {
	// Kind is Publish, Signed or Bare.
	Kind string `json:"kind"`

	// Address is the host and port of the server, and Path the path of the
	// requests.
	Address string `json:"address"`

	// Others are further servers, which connections take turns with. Not for
	// Bare.
	Others []string `json:"others,omitempty"`
	Path   string   `json:"path"`

	// Run marks the events.
	Run uint16 `json:"run"`

	// Connections is how many connections are kept, each with one request at a
	// time.
	Connections int `json:"connections"`

	// Duration bounds the time in which requests are sent, and Limit their
	// number; 0 is no limit.
	Duration time.Duration `json:"duration_ns"`
	Limit    int           `json:"limit,omitempty"`

	// Rate is how many requests a second are sent, at fixed times, whether those
	// before have been answered or not; with 0 each connection sends as soon as
	// it has its answer.
	Rate float64 `json:"rate,omitempty"`

	// Payload is the size of an event's data in bytes.
	Payload int `json:"payload"`

	// Type is the events' type.
	Type string `json:"type"`

	// Batch is how many events a publication has; 0 is one.
	Batch int `json:"batch,omitempty"`

	// Tenants is how many tenants take turns; with 0 events have no tenant.
	Tenants int `json:"tenants,omitempty"`

	// Timeless leaves the times out of the IDs, so that another job with the same
	// Run sends the very same events.
	Timeless bool `json:"timeless,omitempty"`

	// Secret signs, for Signed and Bare.
	Secret string `json:"secret,omitempty"`
}

// Report is what has become of a Job.
type Report struct {
	// Sent is how many events were sent, numbered from 0.
	Sent int `json:"sent"`

	// Failed are the numbers of the events whose requests got no 2xx.
	Failed []uint32 `json:"failed,omitempty"`

	// Reasons are some of the reasons why.
	Reasons []string `json:"reasons,omitempty"`

	// First and Last are when the first request was sent and the last one
	// answered, by Now.
	First int64 `json:"first_ns"`
	Last  int64 `json:"last_ns"`

	// Answers holds how long requests took, from when they were to be sent.
	Answers *Histogram `json:"answers"`

	// Late holds how late they were sent, with a Rate.
	Late *Histogram `json:"late"`
}

const (
	maxReasons  = 3
	maxFailures = 1000
	// jobGrace is how long answers may take after the last request.
	jobGrace = time.Minute
)

// Do does a job.
func Do(ctx context.Context, j Job) (*Report, error) {
	if j.Connections <= 0 || j.Duration <= 0 && j.Limit <= 0 {
		return nil, fmt.Errorf("the job has %d connections, %v and %d requests: give it connections, and time or a number", j.Connections, j.Duration, j.Limit)
	}
	var secret *webhook.Secret
	if j.Kind != Publish {
		var err error
		if secret, err = webhook.ParseSecret(j.Secret); err != nil {
			return nil, err
		}
	}
	r := newRun(j)
	var all sync.WaitGroup
	var transport *http.Transport
	if j.Kind == Bare {
		transport = &http.Transport{MaxIdleConnsPerHost: j.Connections}
		defer transport.CloseIdleConnections()
	}
	for range j.Connections {
		var s sender
		switch j.Kind {
		case Publish:
			s = r.rawSender(newPublication(&j))
		case Signed:
			s = r.rawSender(newSigned(&j, secret))
		case Bare:
			s = newBareSender(&j, secret, transport)
		default:
			return nil, fmt.Errorf("the kind of load %q is unknown", j.Kind)
		}
		all.Go(func() {
			defer s.close()
			r.connection(ctx, s)
		})
	}
	all.Wait()
	return r.finish(), nil
}

// sender sends the requests of one connection.
type sender interface {
	send(ctx context.Context, m Mark) (status int, err error)
	close()
}

// rawSender sends prepared requests over a connection of its own.
type rawSender struct {
	client
	maker maker
}

func (r *run) rawSender(m maker) *rawSender {
	address := r.job.Address
	if turn := r.senders % (len(r.job.Others) + 1); turn > 0 {
		address = r.job.Others[turn-1]
	}
	r.senders++
	return &rawSender{client: client{address: address, deadline: r.began.Add(r.job.Duration + jobGrace)}, maker: m}
}

func (s *rawSender) send(ctx context.Context, m Mark) (int, error) {
	status, err := s.client.send(ctx, s.maker.request(m))
	if err == nil && status >= 300 {
		err = fmt.Errorf("status %d: %s", status, s.refusal)
	}
	return status, err
}

// run is a job that is being done.
type run struct {
	job   Job
	limit int64 // requests
	began time.Time
	start int64 // the same by Now
	next  atomic.Int64

	senders int // made so far

	mu     sync.Mutex
	report Report
}

func newRun(j Job) *run {
	limit := int64(math.MaxInt64)
	if j.Limit > 0 {
		limit = int64(j.Limit)
	}
	if j.Rate > 0 && j.Duration > 0 {
		limit = min(limit, int64(math.Ceil(j.Rate*j.Duration.Seconds())))
	}
	if j.Duration <= 0 {
		j.Duration = time.Hour
	}
	return &run{
		job: j, limit: limit, began: time.Now(), start: Now(),
		report: Report{Answers: new(Histogram), Late: new(Histogram)},
	}
}

// connection sends requests until there are enough.
func (r *run) connection(ctx context.Context, s sender) {
	own := Report{Answers: new(Histogram), Late: new(Histogram)}
	batch := uint32(max(r.job.Batch, 1))
	end := r.start + int64(r.job.Duration)
	for ctx.Err() == nil {
		if r.job.Rate == 0 && Now() >= end {
			break
		}
		n := r.next.Add(1) - 1
		if n >= r.limit {
			break
		}
		m := Mark{Run: r.job.Run, Number: uint32(n) * batch, At: Now()}
		if r.job.Rate > 0 {
			m.At = r.start + int64(float64(n)/r.job.Rate*float64(time.Second))
			time.Sleep(time.Duration(m.At - Now()))
			own.Late.Add(time.Duration(Now() - m.At))
		}
		if own.First == 0 {
			own.First = m.At
		}
		own.Sent += int(batch)
		id := m
		if r.job.Timeless {
			id.At = 0
		}
		status, err := s.send(ctx, id)
		if err == nil && status >= 200 && status < 300 {
			own.Last = Now()
			own.Answers.Add(time.Duration(own.Last - m.At))
			continue
		}
		own.fail(m.Number, batch, status, err)
		if len(own.Failed) >= maxFailures {
			break
		}
		time.Sleep(time.Millisecond) // a server that is gone is not to be hammered
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.merge(&own)
}

func (r *Report) fail(first, batch uint32, status int, err error) {
	for i := range batch {
		r.Failed = append(r.Failed, first+i)
	}
	if len(r.Reasons) < maxReasons {
		reason := fmt.Sprintf("status %d", status)
		if err != nil {
			reason = err.Error()
		}
		r.Reasons = append(r.Reasons, reason)
	}
}

func (r *Report) merge(other *Report) {
	r.Sent += other.Sent
	r.Failed = append(r.Failed, other.Failed...)
	r.Reasons = append(r.Reasons, other.Reasons...)
	if other.First != 0 && (r.First == 0 || other.First < r.First) {
		r.First = other.First
	}
	r.Last = max(r.Last, other.Last)
	r.Answers.Merge(other.Answers)
	r.Late.Merge(other.Late)
}

func (r *run) finish() *Report {
	r.report.Reasons = r.report.Reasons[:min(len(r.report.Reasons), maxReasons)]
	return &r.report
}
