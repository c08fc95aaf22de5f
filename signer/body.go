package signer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
)

// firstBuffer bounds what is set aside for a body by what was announced: the
// rest is when it has arrived.
const firstBuffer = 64 << 10

// readBody reads all of a body, which may have limit bytes, and closes it.
// Errors wrap [ErrTooLarge] or [ErrRequest].
func readBody(r *http.Request, limit int64) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	if r.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	var buffer bytes.Buffer
	if r.ContentLength > 0 {
		buffer.Grow(int(min(r.ContentLength, firstBuffer)) + bytes.MinRead)
	}
	limit = min(limit, math.MaxInt64-1) // one more can be counted
	_, err := buffer.ReadFrom(io.LimitReader(r.Body, limit+1))
	var tooBig *http.MaxBytesError
	switch {
	case errors.As(err, &tooBig):
		return nil, tooLarge(tooBig.Limit)
	case err != nil:
		return nil, fmt.Errorf("%w: reading the body: %w", ErrRequest, err)
	case int64(buffer.Len()) > limit:
		return nil, tooLarge(limit)
	}
	if err := r.Body.Close(); err != nil {
		return nil, fmt.Errorf("%w: closing the body: %w", ErrRequest, err)
	}
	return buffer.Bytes(), nil
}

func tooLarge(limit int64) error {
	return fmt.Errorf("%w: it has more than max_size, %d bytes", ErrTooLarge, limit)
}

// restoreBody gives r the exact bytes that were read from it. They are now of
// known length, however they came, and no trailer comes behind them, which nothing
// has signed.
func restoreBody(r *http.Request, body []byte) {
	r.ContentLength = int64(len(body))
	r.TransferEncoding, r.Trailer = nil, nil
	r.GetBody = func() (io.ReadCloser, error) {
		if len(body) == 0 {
			return http.NoBody, nil
		}
		return io.NopCloser(bytes.NewReader(body)), nil
	}
	r.Body, _ = r.GetBody()
}
