package signer_test

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/manysends/caddy-webhooks/signer"
)

// A request that is about to be sent is signed as GitHub does.
func ExampleSigner_Sign() {
	s, err := signer.New(signer.Config{
		Provider: "github",
		Secrets:  []string{"It's a Secret to Everybody"},
		ID:       "72d3162e-cc78-11e3-81ab-4c9367dc0958",
	}, signer.Options{Now: func() time.Time { return time.Unix(1709634600, 0) }})
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := http.NewRequest(http.MethodPost, "https://hooks.example.com/github", strings.NewReader("Hello, World!"))
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := s.Sign(r); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Header.Get("X-GitHub-Delivery"))
	fmt.Println(r.Header.Get("X-Hub-Signature-256"))

	// Output:
	// 72d3162e-cc78-11e3-81ab-4c9367dc0958
	// sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17
}
