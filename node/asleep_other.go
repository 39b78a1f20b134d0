//go:build !linux

package node

import "time"

// asleep is a clock that goes while the computer sleeps; nil: there is none.
func asleep() func() time.Duration { return nil }
