package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/manysends/caddy-webhooks/integration/internal/loadtest"
)

// oldPending is how many events are pending in the store of the first version.
const oldPending = 5000

// oldStore is what is added to a store as the first version left it: half of
// the pending deliveries have a row, as if they had waited for long.
var oldStore = fmt.Sprintf(`
WITH RECURSIVE n(i) AS (SELECT 5 UNION ALL SELECT i + 1 FROM n WHERE i < %[1]d)
INSERT INTO events SELECT i, 1709634600004, 'evt_0_' || i, '', 'message.created', 1709634600, 0, NULL, NULL, x'01', CAST('{}' AS BLOB) FROM n;
WITH RECURSIVE n(i) AS (SELECT 5 UNION ALL SELECT i + 1 FROM n WHERE i < %[1]d / 2)
INSERT INTO deliveries SELECT 1, i, 1, 0, 0, 1709634600004 FROM n;
UPDATE marks SET value = %[1]d WHERE name = 'last_seq';
`, 4+oldPending)

// killsPerMigration is how many kills each store of the first version gets.
const killsPerMigration = 3

// migrations kills Caddy while it brings stores of the first version up to
// date, and has it deliver what was pending in them. It returns how many of the
// kills it has used up: a tenth, or as many as one store gets.
func migrations(ctx context.Context, o options, dir string, random *rand.Rand) (kills int, err error) {
	old, err := firstVersion(dir)
	if err != nil {
		return 0, err
	}
	before := 0
	for kills < max(o.kills/10, killsPerMigration) {
		n, err := migrate(ctx, o, filepath.Join(dir, fmt.Sprintf("old%d", kills)), old, random)
		if err != nil {
			return kills, fmt.Errorf("with a store of the first version: %w", err)
		}
		kills += killsPerMigration
		before += n
	}
	fmt.Printf("stores of the first version, with %d pending events each: %d, killed %d times, %d of these before the new version was there; nothing lost\n",
		oldPending, kills/killsPerMigration, kills, before)
	return kills, nil
}

// firstVersion makes a store of the first version and returns its path.
func firstVersion(dir string) (string, error) {
	mod, err := exec.Command("go", "env", "GOMOD").Output() //nolint:noctx // it does not wait for anything
	if err != nil {
		return "", err
	}
	script, err := os.ReadFile(filepath.Join(filepath.Dir(strings.TrimSpace(string(mod))), "sender", "sqlitestore", "testdata", "version1.sql"))
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "version1.db")
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite|sqlite.OpenCreate|sqlite.OpenWAL)
	if err != nil {
		return "", err
	}
	return path, errors.Join(sqlitex.ExecuteScript(conn, string(script)+oldStore, nil), conn.Close())
}

// migrate has one store of the first version migrated, with kills. It returns
// how many of them came before the new version was there.
func migrate(ctx context.Context, o options, home, old string, random *rand.Rand) (before int, err error) {
	if err := os.Mkdir(home, 0o700); err != nil {
		return 0, err
	}
	scene, err := loadtest.NewScene(o.binary, home, map[string]loadtest.Behaviour{"a": {}, "c": {}})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, scene.Close()) }()
	if err := copyFile(scene.Store, old); err != nil {
		return 0, err
	}
	for _, id := range []string{"evt_2", "evt_3"} {
		scene.Ledger.Promise(id, "a", "c")
	}
	for i := range oldPending {
		scene.Ledger.Promise(fmt.Sprintf("evt_0_%d", 5+i), "a")
	}
	for range killsPerMigration {
		if err := scene.Launch(scene.Caddyfile("first")); err != nil {
			return before, err
		}
		for scene.Running() && ctx.Err() == nil {
			if _, err := os.Stat(scene.Store + "-wal"); err == nil { // SQLite has it open
				break
			}
		}
		<-time.After(time.Duration(random.Int64N(int64(15 * time.Millisecond))))
		scene.Ledger.Kill()
		if err := scene.Kill(); err != nil {
			return before, err
		}
		scene.Site.AwaitQuiet()
		scene.Ledger.Begin()
		version, err := schemaVersion(scene.Store, filepath.Join(home, "copy.db"))
		if err != nil {
			return before, err
		}
		if version == 1 {
			before++
		}
	}
	if err := scene.Start(scene.Caddyfile("first")); err != nil {
		return before, err
	}
	if err := scene.AwaitDelivered(2 * time.Minute); err != nil {
		return before, err
	}
	for _, name := range scene.Publishers.Endpoints {
		if err := judge(name, scene.Ledger.Account(name), o.recent); err != nil {
			return before, err
		}
	}
	return before, scene.Stop()
}

// schemaVersion is the version of a store that nobody has open; it is read from
// a copy.
func schemaVersion(store, path string) (version int64, err error) {
	for _, suffix := range []string{"", "-wal"} {
		if err := copyFile(path+suffix, store+suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return 0, err
		}
	}
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err != nil {
		return 0, err
	}
	stmt, err := conn.Prepare("PRAGMA user_version")
	if err == nil {
		version, err = sqlitex.ResultInt64(stmt)
	}
	err = errors.Join(err, conn.Close())
	for _, suffix := range []string{"", "-wal", "-shm"} {
		_ = os.Remove(path + suffix)
	}
	return version, err
}

func copyFile(to, from string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o600)
}
