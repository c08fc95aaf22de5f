package receiver

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// jsonNode is a step of the paths that are looked up in a body.
type jsonNode struct {
	name  string
	index int // of name as the position in an array; -1: it is none
	leaf  int // of the path that ends here; -1: none does
	next  []*jsonNode
}

// maxJSONPaths bounds the paths of one template.
const maxJSONPaths = 32

// jsonPaths are the paths of a template. The zero value has none.
type jsonPaths struct {
	root  jsonNode
	count int
}

// add is the index of a path, which is added if it is new.
func (p *jsonPaths) add(path string) int {
	node := &p.root
	if p.count == 0 {
		node.leaf = -1
	}
	for name := range strings.SplitSeq(path, ".") {
		node = node.step(name)
	}
	if node.leaf < 0 {
		node.leaf = p.count
		p.count++
	}
	return node.leaf
}

func (n *jsonNode) step(name string) *jsonNode {
	for _, next := range n.next {
		if next.name == name {
			return next
		}
	}
	index, err := strconv.Atoi(name)
	if err != nil || index < 0 || strconv.Itoa(index) != name {
		index = -1
	}
	next := &jsonNode{name: name, index: index, leaf: -1}
	n.next = append(n.next, next)
	return next
}

// isJSONPath tells whether path is names with dots between them.
func isJSONPath(path string) bool {
	for name := range strings.SplitSeq(path, ".") {
		if name == "" {
			return false
		}
	}
	return true
}

// jsonValue is what is at a path. The zero value is nothing.
type jsonValue struct {
	text       string // of a string, number or boolean
	start, end int    // of the value in the body
	ambiguous  bool   // a member on the path is there twice
}

// document is a body that is read as JSON when it is first asked for a value,
// once. A body that is not valid JSON has no values.
type document struct {
	paths  *jsonPaths
	body   []byte
	read   bool
	values []jsonValue

	src     bytes.Buffer
	dec     jsontext.Decoder
	scratch []byte
}

// open makes the document ready for a body.
func (d *document) open(paths *jsonPaths, body []byte) {
	d.paths, d.body, d.read = paths, body, false
}

// close lets go of the body.
func (d *document) close() {
	d.paths, d.body = nil, nil
	clear(d.values)
	d.values = d.values[:0]
}

// value is what is at a path.
func (d *document) value(path int) jsonValue {
	if !d.read {
		d.read = true
		d.readAll()
	}
	if path >= len(d.values) {
		return jsonValue{}
	}
	return d.values[path]
}

// readAll reads the body to its end, so that a second member of the same name
// is noticed wherever it is.
func (d *document) readAll() {
	d.values = d.values[:0]
	for range d.paths.count {
		d.values = append(d.values, jsonValue{})
	}
	d.src = *bytes.NewBuffer(d.body) // which the decoder reads in place
	d.dec.Reset(&d.src, jsontext.AllowDuplicateNames(true))
	err := d.walk(&d.paths.root)
	if err == nil {
		if _, err = d.dec.ReadToken(); err == nil {
			err = errAmbiguous // there is a second value
		} else if errors.Is(err, io.EOF) {
			err = nil
		}
	}
	d.src = bytes.Buffer{}
	d.dec.Reset(&d.src)
	if err != nil {
		d.values = d.values[:0]
	}
}

// walk reads the next value, which is at node.
func (d *document) walk(node *jsonNode) error {
	switch kind := d.dec.PeekKind(); {
	case kind == jsontext.KindBeginObject && len(node.next) > 0:
		return d.walkObject(node)
	case kind == jsontext.KindBeginArray && len(node.next) > 0:
		return d.walkArray(node)
	case node.leaf < 0 || kind == jsontext.KindBeginObject || kind == jsontext.KindBeginArray:
		return d.dec.SkipValue()
	}
	raw, err := d.dec.ReadValue()
	if err != nil {
		return err
	}
	value := &d.values[node.leaf]
	value.end = int(d.dec.InputOffset())
	value.start = value.end - len(raw)
	switch raw.Kind() {
	case jsontext.KindString:
		if value.text, err = d.unquote(raw); err != nil {
			return err
		}
	case jsontext.KindNull:
	default:
		value.text = string(raw)
	}
	return nil
}

func (d *document) walkObject(node *jsonNode) error {
	if _, err := d.dec.ReadToken(); err != nil {
		return err
	}
	var seen [maxJSONPaths]bool
	for d.dec.PeekKind() != jsontext.KindEndObject {
		raw, err := d.dec.ReadValue()
		if err != nil {
			return err
		}
		i, err := d.child(node, raw)
		if err != nil {
			return err
		}
		switch {
		case i < 0:
			err = d.dec.SkipValue()
		case seen[i]:
			d.spoil(node.next[i])
			err = d.dec.SkipValue()
		default:
			seen[i] = true
			err = d.walk(node.next[i])
		}
		if err != nil {
			return err
		}
	}
	_, err := d.dec.ReadToken()
	return err
}

func (d *document) walkArray(node *jsonNode) error {
	if _, err := d.dec.ReadToken(); err != nil {
		return err
	}
	for position := 0; d.dec.PeekKind() != jsontext.KindEndArray; position++ {
		var at *jsonNode
		for _, next := range node.next {
			if next.index == position {
				at = next
			}
		}
		var err error
		if at == nil {
			err = d.dec.SkipValue()
		} else {
			err = d.walk(at)
		}
		if err != nil {
			return err
		}
	}
	_, err := d.dec.ReadToken()
	return err
}

// child is the index of the step that a member's name is, or -1.
func (d *document) child(node *jsonNode, raw jsontext.Value) (int, error) {
	name := raw[1 : len(raw)-1]
	if bytes.IndexByte(name, '\\') >= 0 {
		var err error
		if d.scratch, err = jsontext.AppendUnquote(d.scratch[:0], raw); err != nil {
			return -1, err
		}
		name = d.scratch
	}
	for i, next := range node.next {
		if next.name == string(name) {
			return i, nil
		}
	}
	return -1, nil
}

func (d *document) unquote(raw jsontext.Value) (string, error) {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1]), nil
	}
	var err error
	d.scratch, err = jsontext.AppendUnquote(d.scratch[:0], raw)
	return string(d.scratch), err
}

// spoil marks all that is below a member which is there twice.
func (d *document) spoil(node *jsonNode) {
	if node.leaf >= 0 {
		d.values[node.leaf] = jsonValue{ambiguous: true}
	}
	for _, next := range node.next {
		d.spoil(next)
	}
}
