package main

import (
	"time"

	"code.gitea.io/sdk/gitea"
	"github.com/PagerDuty/go-pagerduty/webhookv3"
	"github.com/go-playground/webhooks/v6/gitlab"
	"github.com/go-playground/webhooks/v6/gogs"
	"github.com/google/go-github/v74/github"
	"github.com/line/line-bot-sdk-go/v8/linebot/webhook"
	razorpay "github.com/razorpay/razorpay-go/utils"
)

const untimed = "the provider does not sign the time of sending"

// body are providers that sign the body alone, or nothing.
var body = []signer{
	{
		provider: "github", sdk: "github.com/google/go-github/v74",
		// GitHub's other content type: the JSON is in a form.
		sign: func(time.Time) request {
			body := "payload=%7B%22action%22%3A%22opened%22%2C%22number%22%3A2%7D"
			return request{
				Secrets: []string{secret("github", "")}, OtherSecret: secret("another", ""),
				Headers: map[string]string{
					"Content-Type":        "application/x-www-form-urlencoded",
					"X-GitHub-Event":      "pull_request",
					"X-GitHub-Delivery":   "72d3162e-cc78-11e3-81ab-4c9367dc0958",
					"X-Hub-Signature-256": "sha256=" + hexMAC(secret("github", ""), body),
				},
				Body: []byte(body), ID: "72d3162e-cc78-11e3-81ab-4c9367dc0958", Type: "pull_request",
				SignatureHeaders: []string{"X-Hub-Signature-256"},
				UnsignedHeaders:  []string{"X-GitHub-Delivery"},
				Untimed:          untimed,
			}
		},
		accepts: func(r request) bool {
			_, err := github.ValidatePayload(r.http(), []byte(r.Secrets[0]))
			return err == nil
		},
	},
	{
		provider: "gitea", sdk: "code.gitea.io/sdk/gitea",
		sign: func(time.Time) request {
			body := `{"ref":"refs/heads/main","commits":[{"id":"1","message":"ä"}]}`
			return request{
				Secrets: []string{secret("gitea", "")}, OtherSecret: secret("another", ""),
				Headers: asJSON(map[string]string{
					"X-Gitea-Event":     "push",
					"X-Gitea-Delivery":  "f6266f16-1bf3-46a5-9ea4-602e06ead473",
					"X-Gitea-Signature": hexMAC(secret("gitea", ""), body),
				}),
				Body: []byte(body), ID: "f6266f16-1bf3-46a5-9ea4-602e06ead473", Type: "push",
				SignatureHeaders: []string{"X-Gitea-Signature"},
				UnsignedHeaders:  []string{"X-Gitea-Delivery"},
				Untimed:          untimed,
			}
		},
		accepts: func(r request) bool {
			ok, err := gitea.VerifyWebhookSignature(r.Secrets[0], r.Headers["X-Gitea-Signature"], r.Body)
			return ok && err == nil
		},
	},
	{
		provider: "gogs", sdk: "github.com/go-playground/webhooks/v6",
		sign: func(time.Time) request {
			body := `{"ref":"refs/heads/main","commits":[]}`
			return request{
				Secrets: []string{secret("gogs", "")}, OtherSecret: secret("another", ""),
				Headers: asJSON(map[string]string{
					"X-Gogs-Event":     "push",
					"X-Gogs-Delivery":  "f6266f16-1bf3-46a5-9ea4-602e06ead473",
					"X-Gogs-Signature": hexMAC(secret("gogs", ""), body),
				}),
				Body: []byte(body), ID: "f6266f16-1bf3-46a5-9ea4-602e06ead473", Type: "push",
				SignatureHeaders: []string{"X-Gogs-Signature"},
				UnsignedHeaders:  []string{"X-Gogs-Delivery"},
				Untimed:          untimed,
			}
		},
		accepts: func(r request) bool {
			hook, err := gogs.New(gogs.Options.Secret(r.Secrets[0]))
			if err != nil {
				return false
			}
			_, err = hook.Parse(r.http(), gogs.PushEvent)
			return err == nil
		},
	},
	{
		provider: "gitlab_token", sdk: "github.com/go-playground/webhooks/v6",
		sign: func(time.Time) request {
			return request{
				Secrets: []string{secret("gitlab", "")}, OtherSecret: secret("another", ""),
				Headers: asJSON(map[string]string{
					"X-Gitlab-Event":      "Push Hook",
					"X-Gitlab-Event-UUID": "13792a34-cac6-4fda-95a8-c58e00a3954e",
					"X-Gitlab-Token":      secret("gitlab", ""),
				}),
				Body: []byte(`{"object_kind":"push","ref":"refs/heads/main","project_id":15}`), Type: "Push Hook",
				SignatureHeaders: []string{"X-Gitlab-Token"},
				Uncovered:        "the provider sends its token as it is, and signs nothing",
				Untimed:          untimed,
			}
		},
		accepts: func(r request) bool {
			hook, err := gitlab.New(gitlab.Options.Secret(r.Secrets[0]))
			if err != nil {
				return false
			}
			_, err = hook.Parse(r.http(), gitlab.PushEvents)
			return err == nil
		},
	},
	{
		provider: "line", sdk: "github.com/line/line-bot-sdk-go/v8",
		sign: func(time.Time) request {
			body := `{"destination":"U0","events":[{"type":"follow","webhookEventId":"01FZ74A0TDDPYRVKNK77XKC3ZR"}]}`
			key := secret("line", "")[:32]
			return request{
				Secrets: []string{key}, OtherSecret: secret("another", "")[:32],
				Headers:          asJSON(map[string]string{"X-Line-Signature": base64MAC(key, body)}),
				Body:             []byte(body),
				SignatureHeaders: []string{"X-Line-Signature"},
				Untimed:          untimed,
			}
		},
		accepts: func(r request) bool {
			return webhook.ValidateSignature(r.Secrets[0], r.Headers["X-Line-Signature"], r.Body)
		},
	},
	{
		provider: "pagerduty", sdk: "github.com/PagerDuty/go-pagerduty",
		// While a secret is being replaced, each request has a signature of
		// either one.
		sign: func(time.Time) request {
			body := `{"event":{"id":"5ac64822-4adc-4fda-ade0-410becf0de4f","event_type":"incident.priority_updated","data":{"id":"PGR0VU2"}}}`
			key := secret("pagerduty", "")
			return request{
				Secrets: []string{key}, OtherSecret: secret("another", ""),
				Headers: asJSON(map[string]string{
					"X-PagerDuty-Signature": "v1=" + hexMAC(secret("a third", ""), body) + ",v1=" + hexMAC(key, body),
				}),
				Body: []byte(body), ID: "5ac64822-4adc-4fda-ade0-410becf0de4f", Type: "incident.priority_updated",
				SignatureHeaders: []string{"X-PagerDuty-Signature"},
				SignatureText:    hexMAC(key, body),
				Untimed:          untimed,
			}
		},
		accepts: func(r request) bool { return webhookv3.VerifySignature(r.http(), r.Secrets[0]) == nil },
	},
	{
		provider: "razorpay", sdk: "github.com/razorpay/razorpay-go",
		sign: func(time.Time) request {
			body := `{"entity":"event","event":"order.paid","payload":{}}`
			key := secret("razorpay", "")
			return request{
				Secrets: []string{key}, OtherSecret: secret("another", ""),
				Headers: asJSON(map[string]string{"X-Razorpay-Event-Id": "P1aFGvVfCvFXjF", "X-Razorpay-Signature": hexMAC(key, body)}),
				Body:    []byte(body), ID: "P1aFGvVfCvFXjF", Type: "order.paid",
				SignatureHeaders: []string{"X-Razorpay-Signature"},
				UnsignedHeaders:  []string{"X-Razorpay-Event-Id"},
				Untimed:          untimed,
			}
		},
		accepts: func(r request) bool {
			return razorpay.VerifyWebhookSignature(string(r.Body), r.Headers["X-Razorpay-Signature"], r.Secrets[0])
		},
	},
}
