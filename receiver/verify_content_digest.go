package receiver

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"fmt"

	"github.com/dunglas/httpsfv"

	"github.com/manysends/caddy-webhooks/webhook"
)

// checkContentDigest compares the body with its Content-Digest: there must be a
// digest of a kind that is known, and all of them must be right (RFC 9530,
// section 2). Errors wrap [webhook.ErrSignatureMissing] or
// [webhook.ErrSignatureMismatch].
func checkContentDigest(in *inbound) error {
	d, err := readDictionary(in, headerContentDigest)
	if err != nil {
		return err
	}
	checked := 0
	for _, name := range d.Names() {
		var want []byte
		switch name {
		case "sha-256":
			sum := sha256.Sum256(in.body)
			want = sum[:]
		case "sha-512":
			sum := sha512.Sum512(in.body)
			want = sum[:]
		default:
			continue
		}
		member, _ := d.Get(name)
		item, _ := member.(httpsfv.Item)
		got, _ := item.Value.([]byte)
		if subtle.ConstantTimeCompare(got, want) != 1 {
			return fmt.Errorf("%w: %s is not that of the body", webhook.ErrSignatureMismatch, headerContentDigest)
		}
		checked++
	}
	if checked == 0 {
		return fmt.Errorf("%w: %s has neither sha-256 nor sha-512", webhook.ErrSignatureMismatch, headerContentDigest)
	}
	return nil
}
