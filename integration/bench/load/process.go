package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// Worker is another process that makes load or takes it in. Its methods are not
// safe for concurrent use.
type Worker struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	calls   *json.Encoder
	answers *json.Decoder
}

// Start starts a worker: a program that serves [Work] on its standard input and
// output. Close it; it ends with ctx as well.
func Start(ctx context.Context, program string, args ...string) (*Worker, error) {
	cmd := exec.CommandContext(ctx, program, args...) //nolint:gosec // this program itself
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting a worker: %w", err)
	}
	return &Worker{cmd: cmd, in: in, calls: json.NewEncoder(in), answers: json.NewDecoder(out)}, nil
}

// PID is the process ID.
func (w *Worker) PID() int { return w.cmd.Process.Pid }

// Close ends the worker.
func (w *Worker) Close() error {
	return errors.Join(w.in.Close(), w.cmd.Wait())
}

func (w *Worker) call(name string, argument, result any) error {
	value, err := json.Marshal(argument)
	if err != nil {
		return err
	}
	if err := w.calls.Encode(message{Call: name, Value: value}); err != nil {
		return fmt.Errorf("calling a worker: %w", err)
	}
	var answer message
	if err := w.answers.Decode(&answer); err != nil {
		return fmt.Errorf("the worker has ended: %w", err)
	}
	if answer.Error != "" {
		return errors.New(answer.Error)
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(answer.Value, result)
}

// Do has the worker do a job.
func (w *Worker) Do(j Job) (*Report, error) {
	r := new(Report)
	return r, w.call(callDo, j, r)
}

// Listen has the worker be a sink, and returns its host and port.
func (w *Worker) Listen() (address string, err error) {
	return address, w.call(callListen, nil, &address)
}

// Secure has the sink open a site over TLS as well: see [Sink.Secure].
func (w *Worker) Secure(http2 bool) (site Secure, err error) {
	return site, w.call(callSecure, http2, &site)
}

// Begin has the sink count what belongs to a plan.
func (w *Worker) Begin(p Plan) error { return w.call(callBegin, p, nil) }

// Await waits until so many different deliveries have arrived, or none has for
// the time given.
func (w *Worker) Await(distinct int, patience time.Duration) error {
	return w.call(callAwait, awaited{Distinct: distinct, Patience: patience}, nil)
}

// End returns what has arrived of a report's events.
func (w *Worker) End(r *Report) (*Account, error) {
	a := new(Account)
	return a, w.call(callEnd, sent{Sent: r.Sent, Failed: r.Failed}, a)
}
