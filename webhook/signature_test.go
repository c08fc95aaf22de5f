package webhook_test

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/manysends/caddy-webhooks/webhook"
)

func TestSign(t *testing.T) {
	vector, ed := mustSecret(t, vectorSecret), mustSigningKey(t, vectorSigningKey)
	published := mustSecret(t, publishedSecret)
	at := time.Unix(vectorTimestamp, 999_999_999)
	tests := []struct {
		name    string
		signers []webhook.Signer
		id      string
		at      time.Time
		body    string
		want    string
	}{
		{"the documented vector", []webhook.Signer{vector}, vectorID, at, vectorBody, vectorSignature},
		{"the vector of Standard Webhooks", []webhook.Signer{published}, publishedID, time.Unix(publishedTimestamp, 0), publishedBody, publishedSignature},
		{"Ed25519", []webhook.Signer{ed}, vectorID, at, vectorBody, vectorEd25519Signature},
		{"several keys, in their order", []webhook.Signer{ed, vector, vector}, vectorID, at, vectorBody, vectorEd25519Signature + " " + vectorSignature + " " + vectorSignature},
		{"no keys", nil, vectorID, at, vectorBody, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := webhook.Sign(tt.signers, tt.id, tt.at, []byte(tt.body)); got != tt.want {
				t.Errorf("Sign = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestSetHeaders(t *testing.T) {
	h := http.Header{"Webhook-Id": {"an", "earlier"}, "Webhook-Signature": {"v1,earlier"}, "Accept": {"*/*"}}
	webhook.SetHeaders(h, []webhook.Signer{mustSecret(t, vectorSecret)}, vectorID, time.Unix(vectorTimestamp, 0), []byte(vectorBody))
	for name, want := range map[string]string{"webhook-id": vectorID, "webhook-timestamp": "1709634600", "webhook-signature": vectorSignature, "accept": "*/*"} {
		if got := h.Values(name); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	webhook.SetHeaders(h, nil, "evt_2", time.Unix(1, 0), nil)
	if _, signed := h["Webhook-Signature"]; signed || h.Get("webhook-id") != "evt_2" || h.Get("webhook-timestamp") != "1" {
		t.Errorf("without keys the headers are %v", h)
	}
}

func TestVerify(t *testing.T) {
	now := time.Unix(vectorTimestamp, 0)
	vector, other, public := mustSecret(t, vectorSecret), mustSecret(t, otherSecret), mustVerifyingKey(t, vectorVerifyingKey)
	const wrong = "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	tests := []struct {
		name      string
		change    func(h http.Header)
		body      string // default: vectorBody
		keys      []webhook.Verifier
		now       time.Time
		tolerance time.Duration
		key       int
		err       error
	}{
		{name: "as signed"},
		{name: "the last of several keys", keys: []webhook.Verifier{other, public, vector}, key: 2},
		{name: "Ed25519", keys: []webhook.Verifier{other, public}, key: 1, change: set("webhook-signature", vectorEd25519Signature)},
		{name: "several signatures, ours last", change: set("webhook-signature", wrong+" "+vectorEd25519Signature+" "+vectorSignature)},
		{name: "other versions skipped", change: set("webhook-signature", "v2,abc v0, v1a,???? v1 ,, v1,"+" "+vectorSignature)},
		{name: "two spaces between signatures", change: set("webhook-signature", wrong+"  "+vectorSignature)},
		{name: "ours as the 16th", change: set("webhook-signature", strings.Repeat(wrong+" ", 15)+vectorSignature)},
		{name: "ours as the 17th", change: set("webhook-signature", strings.Repeat(wrong+" ", 16)+vectorSignature), err: webhook.ErrSignatureMismatch},
		{name: "a list past 4 KiB", change: set("webhook-signature", vectorSignature+" "+strings.Repeat("x", 4096)), err: webhook.ErrSignatureMismatch},

		{name: "no ID", change: remove("webhook-id"), err: webhook.ErrSignatureMissing},
		{name: "no timestamp", change: remove("webhook-timestamp"), err: webhook.ErrSignatureMissing},
		{name: "no signature", change: remove("webhook-signature"), err: webhook.ErrSignatureMissing},
		{name: "empty ID", change: set("webhook-id", ""), err: webhook.ErrSignatureMissing},
		{name: "empty timestamp", change: set("webhook-timestamp", ""), err: webhook.ErrSignatureMissing},
		{name: "empty signature", change: set("webhook-signature", ""), err: webhook.ErrSignatureMissing},
		{name: "two IDs", change: again("webhook-id"), err: webhook.ErrSignatureMissing},
		{name: "two timestamps", change: again("webhook-timestamp"), err: webhook.ErrSignatureMissing},
		{name: "two signature headers", change: again("webhook-signature"), err: webhook.ErrSignatureMissing},

		{name: "no keys", keys: []webhook.Verifier{}, err: webhook.ErrSignatureMismatch},
		{name: "another secret", keys: []webhook.Verifier{other}, err: webhook.ErrSignatureMismatch},
		{name: "another version's key", keys: []webhook.Verifier{public}, err: webhook.ErrSignatureMismatch},
		{name: "another ID", change: set("webhook-id", "evt_2"), err: webhook.ErrSignatureMismatch},
		{name: "another timestamp", change: set("webhook-timestamp", "1709634601"), err: webhook.ErrSignatureMismatch},
		{name: "another spelling of the timestamp", change: set("webhook-timestamp", "01709634600"), err: webhook.ErrSignatureMismatch},
		{name: "another body", body: vectorBody + " ", err: webhook.ErrSignatureMismatch},
		{name: "version in upper case", change: set("webhook-signature", "V1"+vectorSignature[2:]), err: webhook.ErrSignatureMismatch},
		{name: "signature without its version", change: set("webhook-signature", vectorSignature[3:]), err: webhook.ErrSignatureMismatch},
		{name: "v1 signature under v1a", change: set("webhook-signature", "v1a"+vectorSignature[2:]), keys: []webhook.Verifier{vector, public}, err: webhook.ErrSignatureMismatch},
		{name: "signature cut short", change: set("webhook-signature", vectorSignature[:len(vectorSignature)-1]), err: webhook.ErrSignatureMismatch},
		{name: "signature made longer", change: set("webhook-signature", vectorSignature+"="), err: webhook.ErrSignatureMismatch},
		{name: "signatures joined by a comma", change: set("webhook-signature", wrong+","+vectorSignature), err: webhook.ErrSignatureMismatch},

		{name: "as old as tolerated", now: now.Add(5 * time.Minute), tolerance: 5 * time.Minute},
		{name: "older than tolerated", now: now.Add(5*time.Minute + 1), tolerance: 5 * time.Minute, err: webhook.ErrTimestampTooOld},
		{name: "as new as tolerated", now: now.Add(-5 * time.Minute), tolerance: 5 * time.Minute},
		{name: "newer than tolerated", now: now.Add(-5*time.Minute - 1), tolerance: 5 * time.Minute, err: webhook.ErrTimestampTooNew},
		{name: "old, tolerance off", now: now.AddDate(10, 0, 0), tolerance: 0},
		{name: "new, tolerance negative", now: now.AddDate(-10, 0, 0), tolerance: -1},
		{name: "old and wrong", now: now.AddDate(10, 0, 0), tolerance: time.Minute, change: set("webhook-signature", wrong), err: webhook.ErrSignatureMismatch},
	}
	sentinels := []error{webhook.ErrSignatureMissing, webhook.ErrSignatureMismatch, webhook.ErrTimestampMalformed, webhook.ErrTimestampTooOld, webhook.ErrTimestampTooNew}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := make(http.Header)
			webhook.SetHeaders(h, []webhook.Signer{vector}, vectorID, now, []byte(vectorBody))
			if tt.change != nil {
				tt.change(h)
			}
			if tt.body == "" {
				tt.body = vectorBody
			}
			if tt.keys == nil {
				tt.keys = []webhook.Verifier{vector}
			}
			if tt.now.IsZero() {
				tt.now, tt.tolerance = now, time.Minute
			}
			got, err := webhook.Verify(tt.keys, h, []byte(tt.body), tt.now, tt.tolerance)
			for _, sentinel := range sentinels {
				if errors.Is(err, sentinel) != errors.Is(tt.err, sentinel) {
					t.Errorf("error %v, want one that wraps only %v", err, tt.err)
				}
			}
			if err != nil {
				if strings.Contains(err.Error(), vectorSignature[3:]) {
					t.Errorf("the error shows the expected signature: %v", err)
				}
				return
			}
			if want := (webhook.Verified{ID: vectorID, Timestamp: now, Key: tt.key}); got != want {
				t.Errorf("Verify = %+v, want %+v", got, want)
			}
		})
	}
}

func set(name, value string) func(http.Header) {
	return func(h http.Header) { h.Set(name, value) }
}

func remove(name string) func(http.Header) { return func(h http.Header) { h.Del(name) } }

func again(name string) func(http.Header) { return func(h http.Header) { h.Add(name, h.Get(name)) } }

// TestVerifyRefusesDotsInTheID guards against cutting the same signed bytes
// elsewhere: "a.1.x" is ID "a", timestamp 1 and body "x", or ID "a.1" and so on.
func TestVerifyRefusesDotsInTheID(t *testing.T) {
	secret := mustSecret(t, vectorSecret)
	h := make(http.Header)
	webhook.SetHeaders(h, []webhook.Signer{secret}, "evt_1.1709634600", time.Unix(1, 0), []byte("body"))
	_, err := webhook.Verify([]webhook.Verifier{secret}, h, []byte("body"), time.Unix(1, 0), 0)
	if !errors.Is(err, webhook.ErrSignatureMismatch) || !strings.Contains(err.Error(), "the Webhook-Id header holds a dot") {
		t.Errorf("an ID with a dot gave %v", err)
	}
}

// TestVerifyChecksTheSignatureFirst guards the order of the checks: whoever
// has no key learns nothing about the clock, and a timestamp that is told to
// the log is the sender's word.
func TestVerifyChecksTheSignatureFirst(t *testing.T) {
	secret := mustSecret(t, vectorSecret)
	for _, timestamp := range []string{"soon", "-1", "1e9", " 1709634600", "1709634600.5", "9999999999999"} {
		h := http.Header{"Webhook-Id": {"evt_1"}, "Webhook-Timestamp": {timestamp}, "Webhook-Signature": {vectorSignature}}
		if _, err := webhook.Verify([]webhook.Verifier{secret}, h, nil, time.Unix(0, 0), 0); !errors.Is(err, webhook.ErrSignatureMismatch) {
			t.Errorf("timestamp %q with a wrong signature gave %v", timestamp, err)
		}
	}
	if _, err := webhook.Verify([]webhook.Verifier{acceptAll{}}, http.Header{"Webhook-Id": {"a"}, "Webhook-Timestamp": {"soon"}, "Webhook-Signature": {"x"}}, nil, time.Unix(0, 0), 0); !errors.Is(err, webhook.ErrTimestampMalformed) {
		t.Errorf("a signed but malformed timestamp gave %v", err)
	}
}

type acceptAll struct{}

func (acceptAll) VerifySignature(string, string, []byte, string) bool { return true }

func TestCheckTimestamp(t *testing.T) {
	now := time.Unix(1000, 0)
	for in, want := range map[string]int64{"1000": 1000, "0": 0, "001000": 1000, "999999999999": 999999999999} {
		if got, err := webhook.CheckTimestamp(in, now, 0); err != nil || got.Unix() != want {
			t.Errorf("CheckTimestamp(%q) = %v, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "-1", "+1", "1.0", "1e3", " 1", "1\n", "0x10", "1_000", "1000000000000", "٣"} {
		if _, err := webhook.CheckTimestamp(in, now, time.Hour); !errors.Is(err, webhook.ErrTimestampMalformed) || err.Error() != "timestamp malformed: it must be Unix seconds in decimal digits" {
			t.Errorf("CheckTimestamp(%q) = %v", in, err)
		}
	}
	for in, want := range map[string]string{
		"400":          "timestamp too old: signed 10m0s ago, 5m0s is tolerated",
		"1600":         "timestamp in the future: signed 10m0s ahead of this clock, 5m0s is tolerated",
		"999999999999": "timestamp in the future: signed ",
	} {
		if _, err := webhook.CheckTimestamp(in, now, 5*time.Minute); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("CheckTimestamp(%q) = %v, want %s", in, err, want)
		}
	}
}

// TestSignThenVerify checks for arbitrary input that what was signed verifies,
// and that no other ID, timestamp, body or signature does.
func TestSignThenVerify(t *testing.T) {
	secret, ed := mustSecret(t, vectorSecret), mustSigningKey(t, vectorSigningKey)
	signers := []webhook.Signer{secret, ed}
	verifiers := []webhook.Verifier{secret, ed.VerifyingKey()}
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.StringMatching(`[A-Za-z0-9_:-]{1,40}`).Draw(t, "id")
		at := time.Unix(rapid.Int64Range(0, 1e11).Draw(t, "at"), 0)
		body := rapid.SliceOf(rapid.Byte()).Draw(t, "body")
		which := rapid.IntRange(0, 1).Draw(t, "key")
		keys := verifiers[which : which+1]
		h := make(http.Header)
		webhook.SetHeaders(h, signers[which:which+1], id, at, body)
		if got, err := webhook.Verify(keys, h, body, at, time.Second); err != nil || got != (webhook.Verified{ID: id, Timestamp: at}) {
			t.Fatalf("what was signed gave %+v, %v", got, err)
		}

		changed := h.Clone()
		switch rapid.IntRange(0, 3).Draw(t, "change") {
		case 0:
			changed.Set("webhook-id", id+"x")
		case 1:
			changed.Set("webhook-timestamp", strconv.FormatInt(at.Unix()+1, 10))
		case 2:
			body = append(body, rapid.Byte().Draw(t, "more"))
		case 3:
			value := []byte(h.Get("webhook-signature"))
			i := rapid.IntRange(0, len(value)-1).Draw(t, "i")
			value[i] ^= 1 << rapid.IntRange(0, 6).Draw(t, "bit")
			changed.Set("webhook-signature", string(value))
		}
		if _, err := webhook.Verify(keys, changed, body, at, 0); !errors.Is(err, webhook.ErrSignatureMismatch) {
			t.Fatalf("a changed request gave %v", err)
		}
	})
}

// TestSecretIsSafeForConcurrentUse is for the race detector, and for a pooled
// HMAC that would carry over from one signature to the next.
func TestSecretIsSafeForConcurrentUse(t *testing.T) {
	secret := mustSecret(t, vectorSecret)
	var group sync.WaitGroup
	for g := range 8 {
		group.Go(func() {
			for i := range 200 {
				id, body := "evt_"+strconv.Itoa(g*1000+i), []byte(strings.Repeat("b", i))
				got := string(secret.AppendSignature(nil, id, int64(i), body))
				if want := plainSignature(vectorKey, id, int64(i), body); got != want {
					t.Errorf("%s: %s, want %s", id, got, want)
				}
				if !secret.VerifySignature(id, strconv.Itoa(i), body, got) {
					t.Errorf("%s: its own signature is refused", id)
				}
			}
		})
	}
	group.Wait()
}

func FuzzVerify(f *testing.F) {
	f.Add(vectorID, "1709634600", vectorSignature, []byte(vectorBody))
	f.Add(vectorID, "1709634600", "v1a,x "+vectorEd25519Signature+" "+vectorSignature, []byte(vectorBody))
	f.Add("a.b", "-1", "v1,", []byte(nil))
	f.Add("", "", " , v1 v1,= v1a,====", []byte("{}"))
	secret, public := mustSecret(f, vectorSecret), mustVerifyingKey(f, vectorVerifyingKey)
	now := time.Unix(vectorTimestamp, 0)
	f.Fuzz(func(t *testing.T, id, timestamp, list string, body []byte) {
		h := http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {timestamp}, "Webhook-Signature": {list}}
		got, err := webhook.Verify([]webhook.Verifier{public, secret}, h, body, now, time.Minute)
		if err != nil {
			return
		}
		// Nobody but the holder of the key gets here: the list must hold the
		// signature that the plain formula gives, or the one known vector.
		want := plainSignature(vectorKey, id, got.Timestamp.Unix(), body)
		if got.Key == 0 {
			want = vectorEd25519Signature
			if id != vectorID || string(body) != vectorBody {
				t.Errorf("forged: %q %q", id, body)
			}
		}
		if !strings.Contains(" "+list+" ", " "+want+" ") || got.ID != id || strconv.FormatInt(got.Timestamp.Unix(), 10) != timestamp {
			t.Errorf("accepted as %+v: id %q, timestamp %q, list %q", got, id, timestamp, list)
		}
	})
}
