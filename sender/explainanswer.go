package sender

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// explainAnswer says what the answer means for a delivery; err is why there is
// none, or none that is complete.
func explainAnswer(u *url.URL, a *Attempt, timeout time.Duration, err error) TestCheck {
	if a.StatusCode == 0 {
		return explainNoAnswer(timeout, err)
	}
	if err != nil && !isTimeout(err) {
		return failed(checkAnswer, fmt.Sprintf("The endpoint answered %s, but the answer broke off.", statusText(a.StatusCode)),
			"Check that what answers, or a proxy before it, does not end the connection early.")
	}
	return explainStatus(u, a)
}

// explainNoAnswer says why no status has come over a connection that stands.
func explainNoAnswer(timeout time.Duration, err error) TestCheck {
	switch {
	case isTimeout(err):
		return failed(checkAnswer, fmt.Sprintf("No answer came within %s.", timeout),
			"Have the endpoint answer 2xx as soon as it has stored the event, and do the work afterwards.")
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return failed(checkAnswer, "The server closed the connection without an answer.",
			"Look for this request in the server's log, and check that nothing before it, such as a firewall, refuses it.")
	}
	return failed(checkAnswer, fmt.Sprintf("The answer is not valid HTTP: %s.", shortened(err.Error())),
		"Check that the port in the endpoint's URL is that of a web server.")
}

func statusText(code int) string {
	if text := http.StatusText(code); text != "" {
		return fmt.Sprintf("%d %s", code, text)
	}
	return fmt.Sprint(code)
}

// statusAdvice is what each status of a failure means, and what to do.
var statusAdvice = map[int]struct{ meaning, remedy string }{
	http.StatusBadRequest: {"it does not understand the request",
		"Check that it reads the body as this sample is laid out, and look into its log."},
	http.StatusUnauthorized: {"the endpoint refuses the signature or its own authentication",
		"Check that it has this webhook's secret and reads the raw body."},
	http.StatusForbidden: {"the endpoint refuses the signature or its own authentication",
		"Check that it has this webhook's secret and reads the raw body."},
	http.StatusNotFound: {"there is nothing at the path of the URL",
		"Correct the path in the endpoint's URL, or publish the route there."},
	http.StatusMethodNotAllowed: {"the path of the URL does not take POST",
		"Have the route accept POST, or correct the path in the endpoint's URL."},
	http.StatusRequestTimeout: {"it has not received the request in time",
		"Check the timeouts of the server and of proxies before it."},
	http.StatusConflict: {"it sees a conflict with something it has",
		"Have it answer 2xx to an event that it has seen before: each may come more than once."},
	http.StatusGone: {"it wants no more events, and to a delivery this would disable the endpoint",
		"Correct the endpoint's URL, or have it answer 2xx."},
	http.StatusRequestEntityTooLarge: {"the body is too large for it",
		"Raise the size that the server, and a proxy before it, accept for a request's body."},
	http.StatusUnsupportedMediaType: {"it does not take the Content-Type of the delivery",
		"Have it accept the Content-Type shown in the request, or choose another format for the endpoint."},
	http.StatusUnprocessableEntity: {"it does not accept what the sample says",
		"Have it answer 2xx to events that it has no use for, or subscribe to fewer types."},
	http.StatusTooManyRequests: {"it gets too many requests",
		"Raise its limit for this sender, or give the endpoint a rate that it can keep up with."},
	http.StatusBadGateway: {"a proxy before it has no answer from the application",
		"Check that the application behind the proxy is up, and look into the proxy's log."},
	http.StatusServiceUnavailable: {"it is not available at the moment",
		"Try again later; deliveries are retried on the schedule."},
	http.StatusGatewayTimeout: {"a proxy before it had no answer from the application in time",
		"Have the application answer 2xx as soon as it has stored the event, and do the work afterwards."},
}

// explainStatus says what the status of an answer means.
func explainStatus(u *url.URL, a *Attempt) TestCheck {
	answered := "The endpoint answered " + statusText(a.StatusCode)
	if a.StatusCode/100 == 2 {
		return passed(checkAnswer, answered+".")
	}
	if redirects(a.StatusCode) {
		return explainRedirect(answered, a.ResponseHeaders.Get("Location"))
	}
	if u.Scheme == "http" && a.StatusCode == http.StatusBadRequest && strings.Contains(string(a.ResponseBody), "HTTPS") {
		return failed(checkAnswer, answered+": the port expects TLS.", "Write https:// in the endpoint's URL.")
	}
	if advice, ok := statusAdvice[a.StatusCode]; ok {
		return failed(checkAnswer, answered+": "+advice.meaning+askedToWait(a)+".", advice.remedy)
	}
	switch a.StatusCode / 100 {
	case 4:
		return failed(checkAnswer, answered+": it refuses the request.", "Look into its log, and have it answer 2xx.")
	case 5:
		return failed(checkAnswer, answered+": it failed while it handled the request.", "Look for the error in its log.")
	}
	return failed(checkAnswer, answered+", which is no answer to a delivery.", "Have it answer 2xx.")
}

// explainRedirect names where a redirect leads.
func explainRedirect(answered, location string) TestCheck {
	if location == "" {
		return failed(checkAnswer, answered+", without a Location: redirects are not followed.", "Set the endpoint's URL to where it leads.")
	}
	return failed(checkAnswer, fmt.Sprintf("%s to %s: redirects are not followed.", answered, shortened(location)),
		"Set the endpoint's URL to that one, if it is the one that is meant.")
}

// askedToWait tells how long the endpoint wants to be left alone, if it does.
func askedToWait(a *Attempt) string {
	end := a.StartedAt.Add(time.Duration(a.Duration))
	if _, wait := judge(a.StatusCode, a.ResponseHeaders, end); wait > 0 {
		return fmt.Sprintf(", and asks to be left alone for %s", webhook.Duration(wait))
	}
	return ""
}

// explainTime says whether the answer came in time.
func explainTime(a *Attempt, timeout time.Duration, err error) TestCheck {
	const remedy = "Have the endpoint answer 2xx as soon as it has stored the event, and do the work afterwards."
	switch took := rounded(a.Duration); {
	case err != nil:
		return failed(checkTime, fmt.Sprintf("The answer was not complete within %s.", timeout), remedy)
	case time.Duration(a.Duration) >= timeout/2:
		return warned(checkTime, fmt.Sprintf("The exchange took %s of the %s that it may.", took, timeout), remedy)
	default:
		return passed(checkTime, fmt.Sprintf("The exchange took %s; it may take %s.", took, timeout))
	}
}

// explainSignature says whether the delivery was signed.
func explainSignature(sent http.Header) TestCheck {
	switch n := len(strings.Fields(sent.Get(webhook.HeaderSignature))); n {
	case 0:
		return warned(checkSignature, "The delivery is not signed.",
			"Give the endpoint a secret, so that it can tell this sender's deliveries from forged ones.")
	case 1:
		return passed(checkSignature, "The delivery is signed; whether the endpoint checks that cannot be seen from here.")
	default:
		return passed(checkSignature, fmt.Sprintf("The delivery is signed with %d secrets; whether the endpoint checks that cannot be seen from here.", n))
	}
}
