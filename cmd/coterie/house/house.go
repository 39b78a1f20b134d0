// Package house opens rooms: one for a face of its own, or several in one process, each with a
// peer of its own, that faces come to and go from.
//
//	house.go    the rooms of a process
//	plan.go     what was typed and what is kept, checked
//	open.go     a room, opened
//	rooms.go    rooms that go on whether somebody looks or not
//	hub.go      the face of such a room, which has many, or none
//	guest.go    one of those
//	server.go   the socket for faces in other processes
//	client.go   the house of another process
//	remote.go   a face's visit to a room there
//	window.go   .. whose user may go
//	notice.go   the domain's newest notice
//	metrics.go  numbers for whoever measures
package house

import (
	"io"
	"path/filepath"
	"sync"
	"time"

	"filippo.io/age"

	"coterie/cmd/coterie/profile"
	"coterie/cmd/internal/cli"
	"coterie/crypto/ake"
	"coterie/node"
)

// Flags are those of join as they were typed.
type Flags struct {
	Key, Identity, PassphraseFile string
	Policy, Nick, History, Keep   string
	Bootstrap, Listen             []string
	Notice                        string
	JSON, Plain, Stay, Ephemeral  bool
	Questions                     bool
	Linger                        time.Duration
	Clock, Colour, Log, Metrics   string

	Given func(flag string) bool `json:"-"`
	// Known is the remembered room that is meant; nil: the name says which.
	Known *profile.Room `json:"-"`
	// Ask gives the identity's passphrase; nil: the terminal is asked.
	Ask func() ([]byte, error) `json:"-"`
}

// A House is a profile, and the rooms of it that this process has open.
type House struct {
	profile.Profile
	Now            func() time.Time
	Stdout, Stderr io.Writer

	workers *node.Workers // nil: each room has its own

	// Failed is told of a room that ended by itself; nil: nobody is.
	Failed func(room string, err *cli.Error)

	opening sync.Mutex // one room at a time

	mu      sync.Mutex
	opened  map[string][]age.Identity // by their file: nobody is asked twice
	rooms   map[ake.Hash]*Open
	closing bool
}

// identities opens those that keys are sealed for; nil: there are none. What was opened once
// for one room is so for the others.
func (h *House) identities(f Flags) (func() ([]age.Identity, error), error) {
	path, err := h.IdentityPath(f.Identity)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	open, bad := h.IdentitiesWith(f.Identity, cli.PassphraseOptions{File: f.PassphraseFile, Ask: f.Ask})
	if open == nil || bad != nil || err != nil {
		return open, bad
	}
	return func() ([]age.Identity, error) {
		h.mu.Lock()
		ids, known := h.opened[path]
		h.mu.Unlock()
		if known {
			return ids, nil
		}
		ids, err := open()
		if err == nil {
			h.mu.Lock()
			defer h.mu.Unlock()
			if h.opened == nil {
				h.opened = make(map[string][]age.Identity)
			}
			h.opened[path] = ids
		}
		return ids, err
	}, nil
}
