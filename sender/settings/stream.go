package settings

import (
	"context"
	"net/http"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
)

const (
	// keepAliveEvery is how long a stream is silent at most, so that nothing on
	// the way takes it for dead.
	keepAliveEvery = 15 * time.Second

	// streamPatience is how long a client may take to take what it is sent.
	streamPatience = 30 * time.Second

	// flushEvery is how many events are sent together at most.
	flushEvery = 100
)

// streamPath is where deliveries are followed. It could be the path of one
// delivery, of which none is called so.
const streamPath = "/api/deliveries/stream"

// streamDeliveries answers with deliveries as they change, as server-sent
// events (HTML, section 9.2), until the client leaves.
func streamDeliveries(c *call) error {
	q, tenant := c.scoped("endpoint", "status", "type")
	f := sender.FollowQuery{Idle: keepAliveEvery}
	f.EndpointIDs, f.Statuses, f.Types = q.selection()
	if q.err != nil {
		return q.err
	}
	select {
	case <-c.handler.Ending:
		return unavailable(sender.ErrClosed)
	default:
	}
	ctx, cancel := context.WithCancel(c.context())
	defer cancel()
	followed, err := c.Follow(ctx, tenant, f)
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "text/event-stream")
	c.w.Header().Set("X-Accel-Buffering", "no") // for proxies of nginx's kind
	c.w.WriteHeader(http.StatusOK)
	if c.r.Method == http.MethodHead {
		return nil
	}
	s := &stream{c: c, controller: http.NewResponseController(c.w)}
	s.write(": these are deliveries as they change\n\n")
	for s.flush() {
		select {
		case <-c.handler.Ending:
			return nil
		case <-ctx.Done():
			return nil
		case what, ok := <-followed:
			if !ok {
				return nil
			}
			s.tell(what)
			s.tellAll(followed)
		}
	}
	return nil
}

// stream is a stream of server-sent events on its way to a client. Once a write
// has failed the client is gone, and the rest does nothing.
type stream struct {
	c          *call
	controller *http.ResponseController
	gone       bool
}

// tellAll tells what is there already, so that it is flushed together.
func (s *stream) tellAll(followed <-chan sender.Followed) {
	for range flushEvery {
		select {
		case what, ok := <-followed:
			if !ok {
				return // the next to receive ends the stream
			}
			s.tell(what)
		default:
			return
		}
	}
}

func (s *stream) tell(what sender.Followed) {
	switch {
	case what.Delivery != nil:
		d := what.Delivery
		s.event("delivery", s.c.shownDelivery(&d.Delivery, d.StoredAt, d.Last))
	case what.Lost > 0:
		s.event("lost", struct {
			Count int `json:"count"`
		}{what.Lost})
	default:
		s.write(": nothing has changed\n\n")
	}
}

// event writes one event. JSON has no line breaks of its own.
func (s *stream) event(name string, data any) {
	body, err := marshal(data)
	if err != nil {
		s.gone = true
		return
	}
	s.write("event: " + name + "\ndata: " + string(body) + "\n")
}

func (s *stream) write(text string) {
	if s.gone {
		return
	}
	_ = s.controller.SetWriteDeadline(time.Now().Add(streamPatience)) // where there is such a thing
	if _, err := s.c.w.Write([]byte(text)); err != nil {
		s.gone = true
	}
}

// flush sends what was written, and tells whether the client is there.
func (s *stream) flush() bool {
	if s.gone {
		return false
	}
	return s.controller.Flush() == nil
}
