package caddymodule

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/manysends/caddy-webhooks/caddymodule/command"
	"github.com/manysends/caddy-webhooks/receiver"
)

// configuredReceiver is the webhook_receive of that name in a configuration
// file, with its placeholders replaced. Without a name there must be only one.
func configuredReceiver(file, adapter, name string) (receiver.Config, error) {
	if _, err := os.Stat(file); err != nil {
		return receiver.Config{}, fmt.Errorf("--config: %w", err)
	}
	content, err := command.LoadConfig(file, adapter)
	if err != nil {
		return receiver.Config{}, fmt.Errorf("--config %s: %w", file, err)
	}
	var document any
	if err := json.Unmarshal(content, &document); err != nil {
		return receiver.Config{}, fmt.Errorf("--config %s: it is not JSON: %w", file, err)
	}
	var all []receiver.Config
	if err := collectReceivers(document, &all); err != nil {
		return receiver.Config{}, fmt.Errorf("--config %s: %w", file, err)
	}
	var names []string
	var found []receiver.Config
	for _, cfg := range all {
		if cfg.Name == "" {
			cfg.Name = cfg.Provider
		}
		if !slices.Contains(names, cfg.Name) {
			names = append(names, cfg.Name)
		}
		if name == "" || cfg.Name == name {
			found = append(found, cfg)
		}
	}
	switch {
	case len(all) == 0:
		return receiver.Config{}, fmt.Errorf("--config %s: there is no webhook_receive in it: give the provider and its secret instead", file)
	case len(found) == 0:
		return receiver.Config{}, newMisuse("--receiver %q: there is no webhook_receive of this name: use one of %s", name, strings.Join(names, ", "))
	case len(found) > 1 && name == "":
		return receiver.Config{}, newMisuse("--config %s has several webhook_receive: say which with --receiver: %s", file, strings.Join(names, ", "))
	}
	cfg, err := expandReceiver(found[0], caddy.NewReplacer())
	if err != nil {
		return receiver.Config{}, fmt.Errorf("--config %s: webhook_receive %s: %w", file, cfg.Name, err)
	}
	return cfg, nil
}

// collectReceivers finds the handlers in a configuration, however deep they are
// in routes and subroutes.
func collectReceivers(value any, all *[]receiver.Config) error {
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			if err := collectReceivers(item, all); err != nil {
				return err
			}
		}
	case map[string]any:
		if v["handler"] == "webhook_receive" {
			text, err := json.Marshal(v)
			if err != nil {
				return err
			}
			var cfg receiver.Config
			if err := json.Unmarshal(text, &cfg); err != nil {
				return fmt.Errorf("a webhook_receive: %w", err)
			}
			*all = append(*all, cfg)
			return nil
		}
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			if err := collectReceivers(v[name], all); err != nil {
				return err
			}
		}
	}
	return nil
}
