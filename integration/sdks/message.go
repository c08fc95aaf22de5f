package main

import (
	"bytes"
	"io"
	"time"

	"github.com/yaronf/httpsign"
)

// message are senders that sign method, address, chosen headers and the body.
var message = []signer{
	{
		provider: "http_signatures", sdk: "github.com/yaronf/httpsign", signs: true,
		sign: func(now time.Time) request {
			r := request{
				Secrets: []string{secret("http_signatures", "")}, OtherSecret: secret("another", ""),
				Target: "https://hooks.example.com/in?source=a%20b&n=1", SignsURL: wholeURL,
				Headers:          asJSON(map[string]string{}),
				Body:             []byte(`{"id":"evt_2","type":"order.shipped"}`),
				SignatureHeaders: []string{"Signature"},
				SignedHeaders:    []string{"Content-Digest", "Signature-Input", "Content-Type"},
				Timestamp:        &moment{Header: "Signature-Input", Text: unix(now)},
			}
			content := io.NopCloser(bytes.NewReader(r.Body))
			digest, err := httpsign.GenerateContentDigestHeader(&content, []string{httpsign.DigestSha256})
			if err != nil {
				return r // which the library will not accept
			}
			r.Headers["Content-Digest"] = digest
			signer, err := httpsign.NewHMACSHA256Signer([]byte(r.Secrets[0]), httpsign.NewSignConfig().SetKeyID("key-1"), signedFields)
			if err != nil {
				return r
			}
			input, signature, err := httpsign.SignRequest("sig1", *signer, r.http())
			if err != nil {
				return r
			}
			r.Headers["Signature-Input"], r.Headers["Signature"] = input, signature
			return r
		},
		accepts: func(r request) bool {
			verifier, err := httpsign.NewHMACSHA256Verifier([]byte(r.Secrets[0]), httpsign.NewVerifyConfig().SetKeyID("key-1"), signedFields)
			if err != nil {
				return false
			}
			req := r.http()
			return httpsign.VerifyRequest("sig1", *verifier, req) == nil &&
				httpsign.ValidateContentDigestHeader(req.Header.Values("Content-Digest"), &req.Body, []string{httpsign.DigestSha256}) == nil
		},
	},
}

var signedFields = httpsign.Headers("@method", "@authority", "@path", "@query", "content-digest", "content-type")
