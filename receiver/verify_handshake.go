package receiver

import "context"

// challenger is a scheme whose provider expects more than an answer before it
// sends events, such as a call of a confirmation URL.
type challenger interface {
	// handshake is called with an authentic request and what it proves. With
	// handled, the request was such a challenge and has been met: it is answered
	// with an empty 200 and is not passed on. An error means that it could not
	// be met; it wraps [ErrKeysUnavailable] where another attempt may succeed.
	handshake(ctx context.Context, in *inbound, p proof) (handled bool, err error)
}
