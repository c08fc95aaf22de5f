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

// secretFiles are the files that the secrets of a handler come from.
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
// before, or cannot be looked into. A change that comes right after another can
// leave time and size alike, so a file that has just changed counts until it is
// a little older.
func (s *secretFiles) changed() (changed bool, err error) {
	for i := range s.files {
		f := &s.files[i]
		info, e := look(f.path)
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

// look tells of a file that can be read. Of one that may be seen but not read, Caddy
// would log an error of its own each time.
func look(path string) (os.FileInfo, error) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return info, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return info, f.Close()
}

// forget makes the files count as changed when they are looked at again.
func (s *secretFiles) forget() {
	for i := range s.files {
		s.files[i].info = nil
	}
}

// readAgain puts the secrets into force that the files hold now, if they have
// changed, and returns those in force. Written are the secrets with their
// placeholders, inForce those that they stood for, and use takes new ones. If
// something is wrong with them, those before stay. Whose says in the log whose
// they are. Of nil, it does nothing.
func (s *secretFiles) readAgain(written, inForce []string, use func([]string) error, log *slog.Logger, whose slog.Attr) []string {
	if s == nil {
		return inForce
	}
	changed, err := s.changed()
	if err == nil {
		if !changed {
			return inForce
		}
		var secrets []string
		secrets, err = expandAll(caddy.NewReplacer(), "secret", written)
		if err == nil && slices.Equal(secrets, inForce) {
			s.failure = ""
			return inForce
		}
		if err == nil {
			err = use(secrets)
		}
		if err == nil {
			s.failure = ""
			log.Info("the secrets have changed with their file", whose)
			return secrets
		}
	}
	s.forget() // what is made good, such as who may read a file, need not change it
	if failure := err.Error(); failure != s.failure {
		s.failure = failure
		log.Error("the secrets cannot be read again: those before stay in force", whose, slog.String("error", failure))
	}
	return inForce
}

// readSecretsAgain puts the secrets into force that the receiver's files hold
// now, if they have changed.
func (h *Receive) readSecretsAgain() {
	use := func(secrets []string) error { return h.receiver.Load().SetSecrets(secrets) }
	secrets := h.secrets.readAgain(h.Secrets, h.secretsInForce(), use, h.log, slog.String("receiver", h.settings.Name))
	h.reread.Store(&secrets)
}

// secretsInForce are the receiver's secrets now. Requests may ask for them while
// they are read again.
func (h *Receive) secretsInForce() []string {
	if reread := h.reread.Load(); reread != nil {
		return *reread
	}
	return h.settings.Secrets
}
