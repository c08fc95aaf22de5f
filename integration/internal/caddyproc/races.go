package caddyproc

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// raceReport is how the names of the files begin that a program built with the
// race detector writes to its home: one for each process that has seen a race.
// What it prints does not do, since only the end of that is kept.
const raceReport = "race-report"

// logRaces is the environment variable that has the reports written to a home.
func logRaces(home string) string {
	return "GORACE=log_path=" + filepath.Join(home, raceReport)
}

// races is an error with the races that were seen by programs whose homes are
// in a folder, or nil.
func races(folder string) error {
	var seen []error
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasPrefix(entry.Name(), raceReport+".") {
			return err
		}
		report, err := os.ReadFile(path) //nolint:gosec // the folder is the caller's own
		if err != nil {
			return err
		}
		seen = append(seen, fmt.Errorf("the race detector has seen:\n%s", report))
		return nil
	})
	return errors.Join(append(seen, err)...)
}
