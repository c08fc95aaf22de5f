// Package postgrestest runs PostgreSQL servers for tests.
package postgrestest
