package caddymodule

import (
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// secretsEvery is how often files with secrets are looked at.
const secretsEvery = 2 * time.Second

// secretFiles are the files that a receiver's secrets come from.
type secretFiles struct {
	files   []secretFile
	failure string // that has been logged; empty when there is none
}

// secretFile is a file as it was when it was last looked at.
type secretFile struct {
	path string
	info os.FileInfo // nil: it was not there
}

// newSecretFiles finds the placeholders for files in secrets and looks at the
// files. It is nil when there are none.
func newSecretFiles(secrets []string) *secretFiles {
	const begin, end = "{file.", "}"
	var s secretFiles
	for _, secret := range secrets {
		for {
			_, rest, found := strings.Cut(secret, begin)
			path, after, closed := strings.Cut(rest, end)
			if !found || !closed {
				break
			}
			info, _ := os.Stat(path)
			s.files = append(s.files, secretFile{path, info})
			secret = after
		}
	}
	if s.files == nil {
		return nil
	}
	return &s
}

// changed looks at the files and tells whether they may have other content than
// before, or cannot be looked at. A change that comes right after another can
// leave time and size alike, so a file that has just changed counts until it is
// a little older.
func (s *secretFiles) changed() (changed bool, err error) {
	for i := range s.files {
		f := &s.files[i]
		info, e := os.Stat(f.path)
		if e != nil {
			err, f.info = e, nil
			continue
		}
		was := f.info
		f.info = info
		if was == nil || !os.SameFile(was, info) || !was.ModTime().Equal(info.ModTime()) || was.Size() != info.Size() ||
			time.Since(info.ModTime()) < 2*secretsEvery {
			changed = true
		}
	}
	return changed, err
}

// readSecretsAgain puts the secrets into force that their files hold now, if
// they have changed. If something is wrong with them, those before stay.
func (h *Receive) readSecretsAgain() {
	if h.secrets == nil {
		return
	}
	changed, err := h.secrets.changed()
	if err == nil {
		if !changed {
			return
		}
		var secrets []string
		secrets, err = expandAll(caddy.NewReplacer(), "secret", h.Secrets)
		if err == nil && slices.Equal(secrets, h.settings.Secrets) {
			h.secrets.failure = ""
			return
		}
		if err == nil {
			err = h.receiver.Load().SetSecrets(secrets)
		}
		if err == nil {
			h.settings.Secrets, h.secrets.failure = secrets, ""
			h.log.Info("the secrets have changed with their file", slog.String("receiver", h.settings.Name))
			return
		}
	}
	if failure := err.Error(); failure != h.secrets.failure {
		h.secrets.failure = failure
		h.log.Error("the secrets cannot be read again: those before stay in force",
			slog.String("receiver", h.settings.Name), slog.String("error", failure))
	}
}
