package caddymodule

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

// The flags that commands take secrets from. There is none for a secret itself:
// command lines are seen by every user of a machine, and end up in histories.
const (
	secretFileFlag = "secret-file"
	secretEnvFlag  = "secret-env"

	// secretFromInput is the file that stands for the standard input.
	secretFromInput = "-"

	// maxSecretFile bounds a file with a secret, in bytes.
	maxSecretFile = 64 << 10
)

// addSecretFlags adds the flags that [readSecrets] reads.
func addSecretFlags(cmd *cobra.Command) {
	cmd.Flags().StringArray(secretFileFlag, nil, "Read a secret from this `file`, or \"-\" for stdin; may be repeated")
	cmd.Flags().StringArray(secretEnvFlag, nil, "Read a secret from the environment `variable` of this name; may be repeated")
}

// readSecrets reads the secrets that the flags name, those from files first,
// each kind in the order of the command line. It is empty when there are none.
// A line break at the end of a file does not count, as in Caddy's {file.*}.
// Errors never hold a secret.
func readSecrets(flags caddycmd.Flags, stdin io.Reader) ([]string, error) {
	files, err := flags.GetStringArray(secretFileFlag)
	if err != nil {
		return nil, err
	}
	names, err := flags.GetStringArray(secretEnvFlag)
	if err != nil {
		return nil, err
	}
	var secrets []string
	fromInput := false
	for _, file := range files {
		if file == secretFromInput {
			if fromInput {
				return nil, fmt.Errorf("--%s - stands twice: the standard input holds one secret, so give the others in files", secretFileFlag)
			}
			fromInput = true
		}
		secret, err := readSecretFile(file, stdin)
		if err != nil {
			return nil, fmt.Errorf("--%s %s: %w", secretFileFlag, file, err)
		}
		secrets = append(secrets, secret)
	}
	for _, name := range names {
		secret := os.Getenv(name)
		if strings.TrimSpace(secret) == "" {
			return nil, fmt.Errorf("--%s %s: the variable is not set, or empty, or nothing but white space: give the name of one that holds a secret", secretEnvFlag, name)
		}
		secrets = append(secrets, secret)
	}
	return secrets, nil
}

// secretsFromInput tells whether the flags have a secret read from the standard
// input, so that nothing else can be.
func secretsFromInput(flags caddycmd.Flags) bool {
	files, _ := flags.GetStringArray(secretFileFlag)
	for _, file := range files {
		if file == secretFromInput {
			return true
		}
	}
	return false
}

func readSecretFile(name string, stdin io.Reader) (string, error) {
	in := stdin
	if name != secretFromInput {
		file, err := os.Open(name)
		if err != nil {
			return "", err
		}
		defer file.Close()
		in = file
	}
	content, err := io.ReadAll(io.LimitReader(in, maxSecretFile+1))
	if err != nil {
		return "", err
	}
	if len(content) > maxSecretFile {
		return "", fmt.Errorf("it has more than %d bytes, which no secret has: give the file that holds the secret alone", maxSecretFile)
	}
	content = bytes.TrimSuffix(bytes.TrimSuffix(content, []byte("\n")), []byte("\r"))
	if len(bytes.TrimSpace(content)) == 0 {
		return "", errors.New("it is empty, or nothing but white space: it must hold the secret")
	}
	return string(content), nil
}
