// Package walkthrough has tests alone: the programs as they are built, used
// together by the people they are for, with a terminal where one is needed.
package walkthrough
