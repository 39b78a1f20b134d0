// Package house has the tests that look at the project as a whole: which
// package may import which, and whether what the code cites exists.
package house
