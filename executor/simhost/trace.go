// SPDX-License-Identifier: Apache-2.0

package simhost

import (
	"fmt"
	"strings"
	"time"
)

// Kind says what an [Event] is.
type Kind string

const (
	Turned  Kind = "turn"    // an executor begins a turn; N bounds its polls, 0 doesn't
	Polled  Kind = "polled"  // it has ended the turn; N is how many polls it made
	Waits   Kind = "waits"   // the host has to come back at N
	Poked   Kind = "poke"    // the executor told its host to come
	Spawned Kind = "spawn"   // a named task was spawned
	Began   Kind = "poll"    // its poll begins
	Unwound Kind = "unwind"  // its Unwind begins
	Dropped Kind = "drop"    // its drop begins
	Ended   Kind = "end"     // it has ended; N is its outcome
	Acted   Kind = "outside" // another thread has acted
)

// Event is one step of a run. Two runs are the same if their events are equal.
type Event struct {
	At   int64 // on the clock
	Kind Kind
	Name string // of the executor, the task or the action
	N    int64
}

// String gives a line.
func (e Event) String() string {
	line := fmt.Sprintf("%12v %-7s %s", time.Duration(e.At), e.Kind, e.Name)
	if e.N != 0 {
		line += fmt.Sprintf(" %d", e.N)
	}
	return line
}

func (s *Sim) record(k Kind, name string, n int64) {
	s.trace = append(s.trace, Event{s.now, k, name, n})
}

// lines gives the last events, one a line.
func lines(trace []Event, most int) string {
	var b strings.Builder
	if n := len(trace) - most; n > 0 {
		fmt.Fprintf(&b, "... %d events before\n", n)
		trace = trace[n:]
	}
	for _, e := range trace {
		fmt.Fprintln(&b, e)
	}
	return b.String()
}
