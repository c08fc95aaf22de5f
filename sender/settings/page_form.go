package settings

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/manysends/caddy-webhooks/internal/unread"
)

// maxForm is how large a posted form may be, in bytes. A request that is pasted
// to be looked into is the largest thing in one.
const maxForm = 2 << 20

// form reads a form that was posted from a page of this site.
func (c *call) form() (url.Values, error) {
	if err := c.fromOwnPage(); err != nil {
		return nil, err
	}
	if media, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type")); err != nil || media != "application/x-www-form-urlencoded" {
		return nil, &refusal{status: http.StatusUnsupportedMediaType, detail: "this is for the forms of the pages: programs use the API below api/"}
	}
	body, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, maxForm))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		unread.Discard(c.w, c.r, maxForm, true)
		return nil, &refusal{status: http.StatusRequestEntityTooLarge, detail: "the form is larger than 2 MiB: enter less"}
	case err != nil:
		return nil, malformed("the form broke off: send it again")
	}
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, malformed("the form is malformed: load the page again and fill it in anew")
	}
	for _, list := range values {
		for i, value := range list { // browsers end the lines of a text so
			list[i] = strings.ToValidUTF8(strings.ReplaceAll(value, "\r\n", "\n"), "\uFFFD")
		}
	}
	return values, nil
}

// fromOwnPage refuses a form when nothing tells that it comes from a page of
// this site, or of a trusted one. What [http.CrossOriginProtection] accepts
// without a word of the browser's is not enough: a form may be posted by a
// browser that knows neither of its headers.
func (c *call) fromOwnPage() error {
	h := c.r.Header
	if h.Get("Sec-Fetch-Site") != "" || h.Get("Origin") != "" {
		return nil // it has been checked
	}
	if c.handler.isOwnPage(c.r, h.Get("Referer")) {
		return nil
	}
	return &refusal{status: http.StatusForbidden, detail: "the browser does not say which page the form is from: use a newer browser, or the API below api/"}
}

// jsonText is a text as a member of a body has it, so that forms are read by
// what reads bodies.
func jsonText(s string) jsontext.Value {
	quoted, _ := jsontext.AppendQuote(nil, s) // the text is valid UTF-8
	return quoted
}

// jsonTexts is a list of texts; null when it is empty.
func jsonTexts(list []string) jsontext.Value {
	if len(list) == 0 {
		return jsontext.Value("null")
	}
	v := []byte{'['}
	for i, s := range list {
		if i > 0 {
			v = append(v, ',')
		}
		v = append(v, jsonText(s)...)
	}
	return append(v, ']')
}

// lines are those of a text that are not blank.
func lines(text string) (list []string) {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			list = append(list, line)
		}
	}
	return list
}
