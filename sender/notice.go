package sender

import "time"

// NoticeKind is what a [Notice] tells of.
type NoticeKind string

// The kinds of notices.
const (
	// NoticeDeliveryFailed: the retries of a delivery are used up.
	NoticeDeliveryFailed NoticeKind = "delivery_failed"

	// NoticeEndpointDisabled: the sender has given up an endpoint.
	NoticeEndpointDisabled NoticeKind = "endpoint_disabled"

	// NoticeEndpointEnabled: an endpoint that was given up is active again.
	NoticeEndpointEnabled NoticeKind = "endpoint_enabled"
)

// Notice tells of something that a person may have to see to.
type Notice struct {
	Kind NoticeKind
	At   time.Time

	// EndpointID and Tenant name the endpoint.
	EndpointID string
	Tenant     string

	// EventID, EventType and Attempts are those of a delivery that has failed.
	EventID   string
	EventType string
	Attempts  int

	// Reason says in one sentence why.
	Reason string
}

// maxNotices bounds how many notices wait to be told of.
const maxNotices = 1000

// notices are those that wait to be told of.
type notices struct {
	tell    func(Notice) // nil: nobody
	waiting chan Notice
}

func (n *notices) init(tell func(Notice)) {
	n.tell = tell
	n.waiting = make(chan Notice, maxNotices)
}

// add has a notice told of, unless very many wait already.
func (n *notices) add(notice Notice) {
	if n.tell == nil {
		return
	}
	select {
	case n.waiting <- notice:
	default:
	}
}

// noticeLoop tells of notices until the sender closes.
func (s *Sender) noticeLoop() {
	for {
		select {
		case n := <-s.notices.waiting:
			s.notices.tell(n)
		case <-s.background.Done():
			return
		}
	}
}
