package node

import (
	"fmt"
	"runtime"
	"strings"
)

// A BrokenError ends a room whose state broke: this program did what it never may.
// It says where, and nothing of what was in memory.
type BrokenError struct {
	// What is the runtime's reason, or the type of whatever else was given as one.
	What string
	// Where are the functions that were running, the innermost first, with file and
	// line, and without arguments.
	Where []string
}

func (e *BrokenError) Error() string {
	where := "an unknown place"
	if len(e.Where) > 0 {
		where = e.Where[0]
	}
	return fmt.Sprintf("the room broke, which is a fault of this program: %s in %s", e.What, where)
}

// maxWhere is how many functions a BrokenError names.
const maxWhere = 32

// newBroken says where a panic began. It is called by the deferred function that
// recovered it.
func newBroken(reason any) *BrokenError {
	if e, ok := reason.(*BrokenError); ok {
		return e // it broke in a worker
	}
	e := &BrokenError{What: fmt.Sprintf("a panic with a %T", reason)}
	if err, ok := reason.(runtime.Error); ok {
		e.What = err.Error() // of numbers and types, never of contents
	}
	var pcs [maxWhere]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs[:])])
	begun := false // below the panic
	for {
		f, more := frames.Next()
		inRuntime := strings.HasPrefix(f.Function, "runtime.")
		if begun && !inRuntime {
			file := f.File[strings.LastIndexByte(f.File, '/')+1:]
			e.Where = append(e.Where, fmt.Sprintf("%s (%s:%d)", f.Function, file, f.Line))
		}
		begun = begun || f.Function == "runtime.gopanic"
		if !more {
			return e
		}
	}
}
