package command

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	// pollEvery is how often the progress of a replay is asked for.
	pollEvery = time.Second

	// pollPatience is how many times in a row that may fail, as it does while
	// Caddy restarts.
	pollPatience = 30

	// notFoundPatience is the same for a replay that is not found, as it is not
	// before a Caddy that starts has read its configuration.
	notFoundPatience = 5
)

// follow shows the progress of a replay until it has ended.
func (c *call) follow(ctx context.Context, r *replay, answer json.RawMessage) error {
	p := &progress{screen: c.notes}
	for failures := 0; r.State == "running"; {
		p.show(r.progress())
		err := c.pause(ctx, pollEvery)
		if err == nil {
			var now *replay
			var text json.RawMessage
			if now, text, err = c.getReplay(ctx, r.ID); err == nil {
				r, answer, failures = now, text, 0
				continue
			}
		}
		if failures++; !isTransient(err) || failures >= pollPatience || isNotFound(err) && failures >= notFoundPatience {
			p.end()
			c.left(r)
			if errors.Is(err, context.Canceled) {
				return exit(exitInterrupted)
			}
			return err
		}
	}
	p.end()
	return c.finished(r, answer)
}

// left says what becomes of a replay that is not followed any more.
func (c *call) left(r *replay) {
	c.notes.say("The replay goes on. To look at it or to stop it: caddy webhooks replay show|cancel %s", r.ID)
}

// finished shows a replay that has ended.
func (c *call) finished(r *replay, answer json.RawMessage) error {
	if c.flags.Bool("json") {
		if err := c.out.json(answer); err != nil {
			return err
		}
	} else {
		c.out.say("%s is %s: %s", r.ID, r.State, r.progress())
		if r.Error != "" {
			c.notes.say("Error: %s", r.Error)
		}
	}
	if r.State != "done" {
		return exit(exitNo)
	}
	return nil
}

// answered reads whether the user says yes. Reading cannot be broken off, so
// that the context's end is not waited for behind it.
func (c *call) answered(ctx context.Context) (bool, error) {
	said := make(chan string, 1)
	go func() {
		line, err := bufio.NewReader(c.in).ReadString('\n')
		if err != nil {
			line = "" // neither a yes nor a no: better not
		}
		said <- line
	}()
	select {
	case <-ctx.Done():
		c.notes.write("\n")
		return false, ctx.Err()
	case line := <-said:
		switch strings.ToLower(strings.TrimSpace(line)) {
		case "y", "yes":
			return true, nil
		}
		return false, nil
	}
}

// progress is a line that is written over again on a terminal. Elsewhere
// nothing is shown but the end.
type progress struct {
	*screen
	shown string
}

func (p *progress) show(text string) {
	text = printable(text)
	if !p.isTerminal() || text == p.shown {
		return
	}
	p.shown = text
	p.write(fmt.Sprintf("\r%s\x1b[K", cutTo(text, p.width-1)))
}

// end makes room for what comes after.
func (p *progress) end() {
	if p.shown != "" {
		p.write("\r\x1b[K")
		p.shown = ""
	}
}
