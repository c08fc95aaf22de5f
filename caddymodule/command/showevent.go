package command

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"
)

// delivery shows a delivery with its attempts and the data.
func (c *call) delivery(d *delivery) {
	var f fields
	f.add("Delivery", d.ID)
	f.add("Event", d.EventID)
	f.add("Type", d.Event)
	f.add("Tenant", d.Tenant)
	f.add("Endpoint", d.Endpoint)
	f.addColoured("Status", d.Status, colourOf(d.Status))
	f.add("Happened", c.moment(d.Timestamp))
	f.add("Stored", c.moment(d.StoredAt))
	if d.Due.After(c.now()) {
		f.add("Next try", c.moment(d.Due))
	}
	f.add("Traceparent", d.Traceparent)
	f.show(c.out)
	c.attempts(d.History)
	c.content(&d.content)
	switch d.Status {
	case "failed", "cancelled":
		c.hint("To deliver it again: caddy webhooks retry %s", d.ID)
	case "blocked":
		c.hint("To see why it is blocked: caddy webhooks test %s", d.Endpoint)
	}
}

// event shows an event with its deliveries and the data.
func (c *call) event(e *event) {
	var f fields
	f.add("Event", e.ID)
	f.add("Type", e.Event)
	f.add("Tenant", e.Tenant)
	f.add("Happened", c.moment(e.Timestamp))
	f.add("Stored", c.moment(e.StoredAt))
	f.add("Traceparent", e.Traceparent)
	f.show(c.out)
	c.out.write("\n")
	if len(e.Deliveries) == 0 {
		c.out.say("No endpoint wanted it: it has no deliveries.")
	}
	rows := make([][]cell, 0, len(e.Deliveries))
	for i := range e.Deliveries {
		rows = append(rows, c.deliveryRow(&e.Deliveries[i]))
	}
	deliveryTable(false).rows(c.out, rows...)
	c.content(&e.content)
}

// attempts shows the attempts of a delivery, and of the last one the answer.
func (c *call) attempts(history []attempt) {
	c.out.write("\n")
	if len(history) == 0 {
		c.out.say("No attempt has been made yet.")
		return
	}
	t := &table{columns: []column{
		{title: "TRY"}, {title: "STARTED"}, {title: "TOOK"}, {title: "VERDICT"}, {title: "STATUS"},
		{title: "ADDRESS", optional: true}, {title: "ERROR", optional: true, least: 12},
	}}
	rows := make([][]cell, 0, len(history))
	for i := range history {
		a := &history[i]
		rows = append(rows, []cell{
			{text: number(a.Number)}, {text: c.when(a.StartedAt)}, {text: a.took()}, state(a.Verdict),
			{text: a.answer()}, {text: a.RemoteAddr}, {text: a.Error},
		})
	}
	t.rows(c.out, rows...)
	last := &history[len(history)-1]
	if c.flags.Bool("verbose") {
		for i := range history {
			if len(history[i].RequestHeaders) > 0 {
				c.out.write("\n" + c.out.paint(fmt.Sprintf("Request of try %d", history[i].Number), bold) + "\n")
				c.headers(history[i].RequestHeaders)
			}
			if &history[i] != last && history[i].StatusCode > 0 {
				c.out.write("\n")
				c.answer(&history[i])
			}
		}
	}
	if last.StatusCode > 0 {
		c.out.write("\n")
		c.answer(last)
	}
}

// answer shows what an endpoint has answered.
func (c *call) answer(a *attempt) {
	c.out.write(c.out.paint(fmt.Sprintf("Answer to try %d: %d", a.Number, a.StatusCode), bold) + "\n")
	c.headers(a.ResponseHeaders)
	body := a.ResponseBody
	if a.ResponseBodyBase64 != "" {
		body = binary(a.ResponseBodyBase64)
	}
	if body != "" {
		c.out.write("\n" + printableLines(body, "  "))
	}
}

func (c *call) headers(headers map[string][]string) {
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		for _, value := range headers[name] {
			c.out.write("  " + printable(name+": "+value) + "\n")
		}
	}
}

// content shows the data of an event.
func (c *call) content(e *content) {
	switch {
	case len(e.Data) > 0:
		text, err := document(e.Data, "  ")
		if err != nil {
			return // it was decoded out of JSON, so it is some
		}
		c.out.write("\n" + c.out.paint("Data", bold) + "\n  " + text + "\n")
	case e.DataBase64 != "":
		c.out.write("\n" + c.out.paint("Data", bold) + " " + printable(e.ContentType) + "\n")
		c.out.write(printableLines(binary(e.DataBase64), "  "))
	}
}

// binary is what base64 stands for, where it is text, or else how much it is.
func binary(encoded string) string {
	decoded, err := base64.StdEncoding.DecodeString(encoded)
	if err == nil && utf8.Valid(decoded) && !bytes.ContainsRune(decoded, 0) {
		return string(decoded)
	}
	return fmt.Sprintf("(%d bytes that are no text: --json has them in base64)", len(decoded))
}
