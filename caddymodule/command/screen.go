package command

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// screen is where a command writes to: a terminal, or a file or pipe.
type screen struct {
	w       io.Writer
	width   int // of the terminal in columns; 0 when it is none
	colours bool
	err     error // the first one of writing
}

// terminalOf tells whether a stream is a terminal, and how wide.
func terminalOf(stream any) (width int, ok bool) {
	file, ok := stream.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return 0, false
	}
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil || width <= 0 {
		width = 80
	}
	return width, true
}

func (set *commands) screen(w io.Writer) *screen {
	s := &screen{w: w}
	if width, ok := set.terminal(w); ok {
		s.width = width
		// https://no-color.org
		s.colours = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	}
	return s
}

// isTerminal tells that people look at it.
func (s *screen) isTerminal() bool { return s.width > 0 }

// write writes text that is fit for a terminal.
func (s *screen) write(text string) {
	if _, err := io.WriteString(s.w, text); err != nil && s.err == nil {
		s.err = err
	}
}

// say writes a line whose arguments may come from others.
func (s *screen) say(format string, args ...any) {
	s.write(printable(fmt.Sprintf(format, args...)) + "\n")
}

// json writes a JSON value over several lines.
func (s *screen) json(value json.RawMessage) error {
	text, err := document(value, "")
	if err != nil {
		return err
	}
	s.write(text + "\n")
	return nil
}

// jsonLine writes a JSON value as one line of many.
func (s *screen) jsonLine(value json.RawMessage) error {
	text, err := line(value)
	if err != nil {
		return err
	}
	s.write(text + "\n")
	return nil
}

// colour is how words are shown that say how things are, as the parameter of
// the escape sequence SGR (ECMA-48). Empty is as the rest.
type colour string

const (
	green  colour = "32"
	yellow colour = "33"
	red    colour = "31"
	bold   colour = "1"
	faint  colour = "2"
)

// paint gives text a colour where there are colours.
func (s *screen) paint(text string, c colour) string {
	if !s.colours || c == "" || text == "" {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}

// colourOf is the colour of a state of an endpoint, a delivery or a replay.
func colourOf(state string) colour {
	switch state {
	case "succeeded", "active", "done", "ok":
		return green
	case "pending", "paused", "running", "retry":
		return yellow
	case "failed", "blocked", "disabled", "gone":
		return red
	case "cancelled", "inactive", "tested":
		return faint
	}
	return ""
}
