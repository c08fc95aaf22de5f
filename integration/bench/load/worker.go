package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Calls of a worker.
const (
	callDo     = "do"
	callListen = "listen"
	callSecure = "secure"
	callBegin  = "begin"
	callAwait  = "await"
	callEnd    = "end"
)

// message is a call, with its argument, or its answer, with the result or the
// error. Each is a line of JSON.
type message struct {
	Call  string          `json:"call,omitempty"`
	Value json.RawMessage `json:"value,omitempty"`
	Error string          `json:"error,omitempty"`
}

// awaited is the argument of await.
type awaited struct {
	Distinct int           `json:"distinct"`
	Patience time.Duration `json:"patience_ns"`
}

// sent is the argument of end.
type sent struct {
	Sent   int      `json:"sent"`
	Failed []uint32 `json:"failed"`
}

// Work serves a [Worker] from the process that it has started, until in ends.
func Work(ctx context.Context, in io.Reader, out io.Writer) error {
	var s *Sink
	defer func() {
		if s != nil {
			_ = s.Close()
		}
	}()
	calls, answers := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var c message
		if err := calls.Decode(&c); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		result, err := call(ctx, &s, c)
		var answer message
		if err == nil {
			answer.Value, err = json.Marshal(result)
		}
		if err != nil {
			answer.Error = err.Error()
		}
		if err := answers.Encode(answer); err != nil {
			return err
		}
	}
}

func call(ctx context.Context, s **Sink, c message) (any, error) {
	if *s == nil && c.Call != callDo && c.Call != callListen {
		return nil, fmt.Errorf("%s: nothing listens yet", c.Call)
	}
	switch c.Call {
	case callDo:
		var j Job
		if err := json.Unmarshal(c.Value, &j); err != nil {
			return nil, err
		}
		return Do(ctx, j)
	case callListen:
		if *s == nil {
			made, err := Listen(ctx)
			if err != nil {
				return nil, err
			}
			*s = made
		}
		return (*s).Address(), nil
	case callSecure:
		var http2 bool
		if err := json.Unmarshal(c.Value, &http2); err != nil {
			return nil, err
		}
		return (*s).Secure(ctx, http2)
	case callBegin:
		var p Plan
		if err := json.Unmarshal(c.Value, &p); err != nil {
			return nil, err
		}
		return nil, (*s).Begin(p)
	case callAwait:
		var a awaited
		if err := json.Unmarshal(c.Value, &a); err != nil {
			return nil, err
		}
		(*s).tally.Load().await(a.Distinct, a.Patience)
		return nil, nil
	case callEnd:
		var e sent
		if err := json.Unmarshal(c.Value, &e); err != nil {
			return nil, err
		}
		return (*s).tally.Load().account(e.Sent, e.Failed), nil
	}
	return nil, fmt.Errorf("the call %q is unknown", c.Call)
}
