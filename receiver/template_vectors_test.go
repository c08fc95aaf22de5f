package receiver

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// vector is a signature that somebody else has published.
type vector struct {
	provider string
	source   string
	secret   string
	url      string
	at       time.Time // when it was signed; zero: nothing says so
	headers  []string  // names and values by turns
	body     string
}

var vectors = []vector{
	{
		provider: "box", source: "box-windows-sdk-v2, docs/webhooks.md, and the tests of the other SDKs", secret: "SamplePrimaryKey",
		at:      time.Date(2020, 1, 1, 7, 0, 0, 0, time.UTC),
		headers: []string{"BOX-DELIVERY-TIMESTAMP", "2020-01-01T00:00:00-07:00", "BOX-SIGNATURE-PRIMARY", "6TfeAW3A1PASkgboxxA5yqHNKOwFyMWuEXny/FPD5hI="},
		body:    `{"type":"webhook_event","webhook":{"id":"1234567890"},"trigger":"FILE.UPLOADED","source":{"id":"1234567890","type":"file","name":"Test.txt"}}`,
	},
	{
		provider: "github", source: "docs.github.com, validating webhook deliveries", secret: "It's a Secret to Everybody",
		headers: []string{"X-Hub-Signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"},
		body:    "Hello, World!",
	},
	{
		provider: "github", source: "go-github, messages_test.go", secret: "0123456789abcdef",
		headers: []string{"X-Hub-Signature-256", "sha256=b1f8020f5b4cd42042f807dd939015c4a418bc1ff7f604dd55b0a19b5d953d9b"},
		body:    `{"yo":true}`,
	},
	{
		provider: "line", source: "line-bot-sdk, the tests of its signatures", secret: "8c570fa6dd201bb328f1c1eac23a96d8",
		headers: []string{"x-line-signature", "GhRKmvmHys4Pi8DxkF4+EayaH0OqtJtaZxgTD9fMDLs="},
		body:    `{"destination":"U8e742f61d673b39c7fff3cecb7536ef0","events":[]}`,
	},
	{
		provider: "revolut", source: "developer.revolut.com, verify the payload signature", secret: "wsk_r59a4HfWVAKycbCaNO1RvgCJec02gRd8",
		at:      time.UnixMilli(1683650202360),
		headers: []string{"Revolut-Request-Timestamp", "1683650202360", "Revolut-Signature", "v1=bca326fb378d0da7f7c490ad584a8106bab9723d8d9cdd0d50b4c5b3be3837c0"},
		body:    `{"data":{"id":"645a7696-22f3-aa47-9c74-cbae0449cc46","new_state":"completed","old_state":"pending","request_id":"app_charges-9f5d5eb3-1e06-46c5-b1c0-3914763e0bcb"},"event":"TransactionStateChanged","timestamp":"2023-05-09T16:36:38.028960Z"}`,
	},
	{
		provider: "sanity", source: "@sanity/webhook, its tests", secret: "test",
		at:      time.UnixMilli(1633519811129),
		headers: []string{"sanity-webhook-signature", "t=1633519811129,v1=tLa470fx7qkLLEcMOcEUFuBbRSkGujyskxrNXcoh0N0"},
		body:    `{"_id":"resume"}`,
	},
	{
		provider: "slack", source: "docs.slack.dev, verifying requests from Slack", secret: "8f742231b10e8888abcd99yyyzzz85a5",
		at:      time.Unix(1531420618, 0),
		headers: []string{"X-Slack-Request-Timestamp", "1531420618", "X-Slack-Signature", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"},
		body:    "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
	},
	{
		provider: "square", source: "developer.squareup.com, validate notifications", secret: "asdf1234", url: "https://example.com/webhook",
		headers: []string{"X-Square-HmacSha256-Signature", "2kRE5qRU2tR+tBGlDwMEw2avJ7QM4ikPYD/PJ3bd9Og="},
		body:    `{"hello":"world"}`,
	},
	{
		provider: "svix", source: "docs.svix.com, verifying webhooks manually", secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
		at:      time.Unix(1614265330, 0),
		headers: []string{"svix-id", "msg_p5jXN8AQM9LWM0D4loKWxJek", "svix-timestamp", "1614265330", "svix-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
		body:    `{"test": 2432232314}`,
	},
	{
		provider: "whatsapp", source: "hexdocs.pm, whatsapp_sdk", secret: "secret",
		headers: []string{"X-Hub-Signature-256", "sha256=0329a06b62cd16b33eb6792be8c60b158d89a2ee3a876fce9a881ebb488c0914"},
		body:    "test",
	},
	{
		provider: "worldline", source: "connect-sdk-php, WebhooksHelperTest.php", secret: "hello+world",
		headers: []string{"X-GCS-Signature", "2S7doBj/GnJnacIjSJzr5fxGM5xmfQyFAwxv1I53ZEk=", "X-GCS-KeyId", "dummy-key-id"},
		body: `{
  "apiVersion": "v1",
  "id": "8ee793f6-4553-4749-85dc-f2ef095c5ab0",
  "created": "2017-02-02T11:24:14.040+0100",
  "merchantId": "20000",
  "type": "payment.paid",
  "payment": {
    "id": "00000200000143570012",
    "paymentOutput": {
      "amountOfMoney": {
        "amount": 1000,
        "currencyCode": "EUR"
      },
      "references": {
        "paymentReference": "200001681810"
      },
      "paymentMethod": "bankTransfer",
      "bankTransferPaymentMethodSpecificOutput": {
        "paymentProductId": 11
      }
    },
    "status": "PAID",
    "statusOutput": {
      "isCancellable": false,
      "statusCategory": "COMPLETED",
      "statusCode": 1000,
      "statusCodeChangeDateTime": "20170202112414",
      "isAuthorized": true
    }
  }
}`,
	},
}

// TestPublishedVectors checks signatures that were not made here.
func TestPublishedVectors(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.provider+" from "+v.source, func(t *testing.T) {
			now := v.at.Add(time.Minute)
			rc := mustNew(t, Config{Provider: v.provider, Secrets: []string{"c29tZSBvdGhlciBzZWNyZXQ", v.secret}, URL: v.url}, Options{Now: func() time.Time { return now }})
			r := httptest.NewRequest(http.MethodPost, "/hooks", strings.NewReader(v.body))
			for i := 0; i < len(v.headers); i += 2 {
				r.Header.Set(v.headers[i], v.headers[i+1])
			}
			called := false
			err := rc.Handle(httptest.NewRecorder(), r, func(http.ResponseWriter, *http.Request) error {
				called = true
				return nil
			})
			if err != nil || !called {
				t.Errorf("not accepted: %v", err)
			}
		})
	}
}
