package caddymodule

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/manysends/caddy-webhooks/receiver"
	"github.com/manysends/caddy-webhooks/webhook"
)

// What `caddy webhooks secret` makes beside the secrets of providers.
const (
	secretEd25519       = "ed25519"
	secretEncryptionKey = "encryption-key"
	secretRaw           = "raw"

	defaultSecretBytes = 32
	minSecretBytes     = 16
	maxSecretBytes     = 64
	standardMinBytes   = 24 // Standard Webhooks, "Signature scheme"
	encryptionKeyBytes = 32
	rsaBits            = 3072
)

// madeSecret is a new secret, with its public half if it has one.
type madeSecret struct{ secret, public string }

// members are those of its JSON.
func (m madeSecret) members() map[string]string {
	members := map[string]string{"secret": m.secret}
	if m.public != "" {
		members["public"] = m.public
	}
	return members
}

// secretCommand is `caddy webhooks secret`.
func secretCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "secret",
		Short: "Makes a secret to sign webhooks with",
		Long: strings.TrimSpace(`
Makes a new secret from the randomness of the system, and prints it alone, so
that it can be piped. The provider says what it looks like:

  standard        whsec_ and base64, for HMAC-SHA256; this is the default
  ed25519         whsk_ and base64, the private key of a pair
  encryption-key  base64 of 32 bytes, for encryption_key of the app
  raw             random bytes in hex, for whatever takes any text

Or give the name of a provider that webhook_sign knows, for a secret that is
written its way. Of a pair of keys, the public one goes to the file of --public,
which must not be there yet, or else to stderr.`) + exitCodes,
		Example: `  $ caddy webhooks secret > webhook.secret
  $ caddy webhooks secret --provider ed25519 --public webhook.pub > webhook.key
  $ caddy webhooks secret --provider github --json`,
		Args: cobra.ArbitraryArgs,
		RunE: runsOffline(runSecret),
	}
	f := cmd.Flags()
	f.String("provider", "standard", "What to make: standard, ed25519, encryption-key, raw, or a `provider`")
	f.Int("bytes", defaultSecretBytes, "The `number` of random bytes in a shared secret")
	f.String("public", "", "Write the public key to this `file`")
	f.Bool("json", false, "Print the secret and the public key as JSON")
	return cmd
}

func runSecret(run *offlineRun) error {
	if len(run.args) > 0 {
		return newMisuse("the argument %q is too many: write: %s --provider %s", run.args[0], run.cmd.CommandPath(), run.args[0])
	}
	kind, file, size := run.flags.String("provider"), run.flags.String("public"), run.flags.Int("bytes")
	if size < minSecretBytes || size > maxSecretBytes {
		return newMisuse("--bytes is %d: use %d to %d, of which %d are plenty", size, minSecretBytes, maxSecretBytes, defaultSecretBytes)
	}
	made, shared, err := makeSecret(kind, size)
	switch {
	case err != nil:
		return err
	case !shared && run.flags.Changed("bytes"):
		return newMisuse("--bytes is set, and a key of %s has a length of its own: leave it out", kind)
	case made.public == "" && file != "":
		return newMisuse("--public is set, and a secret of %s has no public key: leave it out", kind)
	}
	if file != "" {
		if err := writeNew(file, made.public+"\n"); err != nil {
			if errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("--public %s: the file is there already: remove it, or give another name", file)
			}
			return fmt.Errorf("--public: %w", err)
		}
	}
	if run.flags.Bool("json") {
		return writeJSON(run.out, made.members())
	}
	if _, err := fmt.Fprintln(run.out, made.secret); err != nil {
		return err
	}
	if made.public != "" && file == "" {
		_, err = fmt.Fprintf(run.notes, "The public key, for those who verify:\n%s\n", made.public)
	}
	return err
}

// writeNew writes a file that must not be there yet.
func writeNew(name, content string) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // a public key is for others to read
	if err != nil {
		return err
	}
	_, err = io.WriteString(file, content)
	return errors.Join(err, file.Close())
}

// makeSecret makes a secret of a kind, and tells whether it is a shared one,
// whose size can be chosen.
func makeSecret(kind string, size int) (made madeSecret, shared bool, err error) {
	switch kind {
	case secretEd25519:
		key, err := webhook.GenerateSigningKey(rand.Reader)
		if err != nil {
			return made, false, err
		}
		return madeSecret{key.Reveal(), key.VerifyingKey().String()}, false, nil
	case secretEncryptionKey:
		return madeSecret{secret: base64.StdEncoding.EncodeToString(randomBytes(encryptionKeyBytes))}, false, nil
	case secretRaw:
		return madeSecret{secret: hex.EncodeToString(randomBytes(size))}, true, nil
	}
	rules, err := receiver.Config{Provider: kind}.Signing()
	switch {
	case errors.Is(err, receiver.ErrOneWay):
		return made, false, newMisuse("--provider: secrets of %s are made by the provider: copy it from there, or use --provider raw", kind)
	case err != nil:
		return made, false, newMisuse("--provider %s is unknown: use standard, ed25519, encryption-key, raw, or a provider that webhook_sign knows", kind)
	case rules.Standard && size < standardMinBytes:
		return made, false, newMisuse("--bytes is %d: secrets of %s have at least %d", size, kind, standardMinBytes)
	}
	return secretFor(&rules.Template, size)
}

// secretFor makes a secret as a template needs it.
func secretFor(t *receiver.Template, size int) (made madeSecret, shared bool, err error) {
	switch t.Algorithm {
	case "ed25519":
		made, err = ed25519Pair(t.Key)
		return made, false, err
	case "ecdsa-p256-sha256":
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return made, false, err
		}
		made, err = pemPair(key, key.Public())
		return made, false, err
	case "rsa-sha256":
		key, err := rsa.GenerateKey(rand.Reader, rsaBits)
		if err != nil {
			return made, false, err
		}
		made, err = pemPair(key, key.Public())
		return made, false, err
	}
	raw := randomBytes(size)
	switch t.Key {
	case "base64":
		made.secret = base64.StdEncoding.EncodeToString(raw)
	case "whsec":
		made.secret = "whsec_" + base64.StdEncoding.EncodeToString(raw)
	default:
		made.secret = hex.EncodeToString(raw)
	}
	return made, true, nil
}

// ed25519Pair makes a pair of keys that are written in hex, base64 or as PEM.
func ed25519Pair(written string) (madeSecret, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return madeSecret{}, err
	}
	switch written {
	case "hex":
		return madeSecret{hex.EncodeToString(private.Seed()), hex.EncodeToString(public)}, nil
	case "base64":
		return madeSecret{base64.StdEncoding.EncodeToString(private.Seed()), base64.StdEncoding.EncodeToString(public)}, nil
	}
	return pemPair(private, public)
}

// pemPair writes a pair of keys as PEM.
func pemPair(private, public any) (madeSecret, error) {
	privateDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return madeSecret{}, err
	}
	publicDER, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return madeSecret{}, err
	}
	text := func(kind string, der []byte) string {
		return strings.TrimSuffix(string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})), "\n")
	}
	return madeSecret{text("PRIVATE KEY", privateDER), text("PUBLIC KEY", publicDER)}, nil
}

// randomBytes are new ones. Reading them does not fail: see crypto/rand.Read.
func randomBytes(n int) []byte {
	raw := make([]byte, n)
	_, _ = rand.Read(raw)
	return raw
}
