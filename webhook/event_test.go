package webhook_test

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

func TestNewEventIDBits(t *testing.T) {
	// The example of RFC 9562, appendix A.6: 2022-02-22 14:22:22 in New York,
	// rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F.
	at := time.UnixMilli(0x017F22E279B0)
	random, err := hex.DecodeString("0cc3" + "18c4dc0c0c07398f")
	if err != nil {
		t.Fatal(err)
	}
	got, err := webhook.NewEventID(at, bytes.NewReader(random))
	if want := "evt_017f22e279b07cc398c4dc0c0c07398f"; err != nil || got != want {
		t.Errorf("NewEventID = %q, %v; want %q", got, err, want)
	}

	// Version and variant stand whatever is read.
	for _, fill := range []byte{0x00, 0xff} {
		got, err := webhook.NewEventID(at, bytes.NewReader(bytes.Repeat([]byte{fill}, 10)))
		want := map[byte]string{0x00: "evt_017f22e279b070008000000000000000", 0xff: "evt_017f22e279b07fffbfffffffffffffff"}[fill]
		if err != nil || got != want {
			t.Errorf("random of %#x: %q, %v; want %q", fill, got, err, want)
		}
	}
}

func TestNewEventIDsSortByTime(t *testing.T) {
	form := regexp.MustCompile(`^evt_[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}$`)
	start := time.Date(2024, 3, 5, 10, 30, 0, 0, time.UTC)
	var ids []string
	for i := range 2000 {
		id, err := webhook.NewEventID(start.Add(time.Duration(i)*time.Millisecond), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if !form.MatchString(id) {
			t.Fatalf("%q is not evt_ and a UUIDv7", id)
		}
		if err := webhook.CheckEventID(id); err != nil {
			t.Fatalf("%q is refused: %v", id, err)
		}
		ids = append(ids, id)
	}
	if !slices.IsSorted(ids) {
		t.Error("IDs made one millisecond apart do not sort by time")
	}
	if len(slices.Compact(slices.Clone(ids))) != len(ids) {
		t.Error("an ID was made twice")
	}
}

func TestNewEventIDFailsWithItsRandomSource(t *testing.T) {
	if id, err := webhook.NewEventID(time.Now(), strings.NewReader("ninebytes")); !errors.Is(err, io.ErrUnexpectedEOF) || id != "" {
		t.Errorf("nine bytes of random gave %q, %v", id, err)
	}
	broken := errors.New("entropy pool on fire")
	if id, err := webhook.NewEventID(time.Now(), iotest.ErrReader(broken)); !errors.Is(err, broken) || id != "" {
		t.Errorf("a failing random source gave %q, %v", id, err)
	}
}

func TestCheckEventID(t *testing.T) {
	for _, id := range []string{vectorID, "a", "order:4711", "AZ-az_09", strings.Repeat("x", 128)} {
		if err := webhook.CheckEventID(id); err != nil {
			t.Errorf("%q is refused: %v", id, err)
		}
	}
	const remedy = `: use letters, digits, "_", "-" and ":" only`
	for id, want := range map[string]string{
		"":                       "id has 0 characters: use 1 to 128, or leave it out to have one made",
		strings.Repeat("x", 129): "id has 129 characters: use 1 to 128, or leave it out to have one made",
		"evt.1":                  "id holds the character '.'" + remedy,
		"evt 1":                  "id holds the character ' '" + remedy,
		"evt\n1":                 `id holds the character '\n'` + remedy,
		"evt\x001":               `id holds the character '\x00'` + remedy,
		`evt"1`:                  `id holds the character '"'` + remedy,
		"evt/1":                  "id holds the character '/'" + remedy,
		"évt":                    "id holds the character 'é'" + remedy,
		"evt\xff":                "id holds the character '\uFFFD'" + remedy,
	} {
		if err := webhook.CheckEventID(id); err == nil || err.Error() != want {
			t.Errorf("CheckEventID(%q):\n%v\nwant:\n%s", id, err, want)
		}
	}
	if webhook.CheckEventID("évt") == nil {
		t.Error("a letter outside ASCII is accepted")
	}
}
