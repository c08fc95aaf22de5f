//go:build race

package redisseen_test

const raceDetector = true
