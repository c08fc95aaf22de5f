package command

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// maxMessage bounds one message of a stream, in bytes.
const maxMessage = 1 << 20

// errMessage is the error of a stream that holds what cannot be a message.
var errMessage = errors.New("a message of the stream is too long")

// message is one server-sent event.
// https://html.spec.whatwg.org/multipage/server-sent-events.html
type message struct {
	name string
	data []byte
}

// messages reads server-sent events until the stream ends. Each line, also of
// a comment, is a sign of life, which alive is told.
func messages(r io.Reader, alive func(), each func(message) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxMessage)
	lines.Split(scanLines)
	var m message
	for lines.Scan() {
		alive()
		line := lines.Bytes()
		if len(line) == 0 {
			if len(m.data) > 0 {
				m.data = m.data[:len(m.data)-1] // the last line break
				if err := each(m); err != nil {
					return err
				}
			}
			m = message{}
			continue
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "event":
			m.name = string(value)
		case "data":
			if len(m.data)+len(value) >= maxMessage {
				return errMessage
			}
			m.data = append(append(m.data, value...), '\n')
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return errMessage
	}
	return lines.Err()
}

// scanLines is bufio.ScanLines, which also cuts off the carriage return, apart
// from a last line without an end: it was broken off.
func scanLines(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if atEOF && bytes.IndexByte(data, '\n') < 0 {
		return len(data), nil, nil
	}
	return bufio.ScanLines(data, atEOF)
}
