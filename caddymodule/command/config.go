package command

import (
	"cmp"
	"encoding/json"
	"fmt"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"go.uber.org/zap"
)

// LoadConfig is a configuration file as JSON. Caddy logs to stderr what it does
// meanwhile, which is no part of a command's answer, and is left out.
func LoadConfig(file, adapter string) ([]byte, error) {
	_, logger, _ := caddy.BufferedLog()
	defer func() {
		caddy.UnbufferDefaultLogger(zap.NewNop()) // where all of it goes
		caddy.BufferedLog()
		caddy.UnbufferDefaultLogger(logger)
	}()
	content, _, _, err := caddycmd.LoadConfig(file, adapter)
	return content, err
}

// configuredAdmin is where the admin API of a configuration is. One without any
// is an error: at the default address there may be another Caddy.
func configuredAdmin(file, adapter string) (string, error) {
	content, err := LoadConfig(file, adapter)
	if err != nil {
		return "", err
	}
	var set struct {
		Admin caddy.AdminConfig `json:"admin"`
	}
	if len(content) > 0 {
		if err := json.Unmarshal(content, &set); err != nil {
			return "", fmt.Errorf("the configuration %s: %w", file, err)
		}
	}
	if set.Admin.Disabled {
		return "", fmt.Errorf("the configuration %s has `admin off`, and such a Caddy cannot be asked: take that out and restart it", file)
	}
	address, err := caddy.NewReplacer().ReplaceOrErr(set.Admin.Listen, true, true) // as Caddy does
	if err != nil {
		return "", fmt.Errorf("the configuration %s, admin: %w", file, err)
	}
	return cmp.Or(address, caddy.DefaultAdminListen), nil
}
