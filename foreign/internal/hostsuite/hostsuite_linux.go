// SPDX-License-Identifier: Apache-2.0

// Package hostsuite has the cases that every host on a loop of C's keeps.
package hostsuite

import (
	"sync"
	"testing"
	"time"

	"github.com/ebitengine/purego"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/foreign"
	"github.com/pillion-dev/pillion/foreign/internal/suite"
)

// Loop is a loop of a test.
type Loop struct {
	Host    func() (*foreign.Host, error)   // a new one on it
	Round   func()                          // waits for an event
	After   func(d time.Duration, f func()) // calls f in a handler, by a timer of its own
	Destroy func()                          // handles and all
	Nests   bool                            // it may run inside its handlers
	Faults  bool                            // it tells of faults
	Once    bool                            // it takes a descriptor once
}

// handlers has the functions that the loops' own timers call.
var handlers sync.Map

// Handler is the callback of a loop's own timer. It calls the function that [Handle] got
// a key for; the key is its first argument or its third.
var Handler = sync.OnceValue(func() uintptr {
	return purego.NewCallback(func(first, _, third uintptr) uintptr {
		for _, key := range [...]uintptr{first, third} {
			if f, ok := handlers.LoadAndDelete(key); ok {
				f.(func())()
				break
			}
		}
		return 0
	})
})

// Handle makes f known to [Handler].
func Handle(key uintptr, f func()) { handlers.Store(key, f) }

// inHandler calls f in a Go handler, as C calls one.
func inHandler(f func()) {
	const key = 1 << 50
	Handle(key, f)
	foreign.Call(Handler(), key, 0, 0)
}

// place is a host with its executor on a loop.
type place struct {
	*Loop
	host *foreign.Host
	l    *executor.Local
}

// Tests runs them. open makes a loop, and destroys it by t.Cleanup unless the test has.
func Tests(t *testing.T, open func(t *testing.T) *Loop) {
	on := func(t *testing.T) *place { return add(t, open(t)) }
	rig := func(t *testing.T) suite.Rig {
		p := on(t)
		return suite.Rig{Local: p.l, Run: p.host.Run, Watches: true, Faults: p.Faults}
	}
	suite.Cases(t, rig)
	suite.WatchCases(t, rig)
	for name, test := range map[string]func(t *testing.T, p *place){
		"AttachRefusesWhatCannotBe":                    attaches,
		"ACallSubmittedBeforeAttachComes":              early,
		"CoroutinesEndWhereTheyBegan":                  frees,
		"FreeInOnEventEndsTheEvents":                   freesInHandler,
		"AnEvictionOutsideOfTurns":                     evicts,
		"TheLoopMayBeDestroyedFirst":                   destroyed,
		"TheHostIsClosedWithoutAnExecutor":             closedEarly,
		"ALoopRunOnTheWrongThreadDoesNotSpin":          otherThread,
		"AGoroutineIsLockedFromAttachToClose":          locked,
		"ALoopInAHandlerPutsTurnsOff":                  nested,
		"ALoopInsideAPollNeitherSpinsNorLosesAnything": nestedInPoll,
		"ALoopInAFreePutsTurnsOff":                     nestedInFree,
		"APanicStaysOnItsSide":                         panics,
		"ATaskThatWakesItselfDoesNotStarveTheLoop":     fair,
		"WhatACancelledTaskAwaitedDoesNotSpin":         unawaited,
		"AFaultDoesNotSpin":                            faulty,
		"ALoopWithoutWorkSleeps":                       idle,
		"TheProgramWatchesTheSameDescriptor":           shared,
		"TwoExecutorsShareALoop":                       two,
		"HostsTakeNoMoreCallbacks":                     slots,
		"CallsSubmittedInOnEventCome":                  begun,
	} {
		t.Run(name, func(t *testing.T) { test(t, on(t)) })
	}
}

// add attaches an executor.
func add(t *testing.T, loop *Loop) *place {
	t.Helper()
	host, err := loop.Host()
	if err != nil {
		t.Fatal(err)
	}
	p := &place{loop, host, executor.New(executor.Config{Host: host})}
	if err := host.Attach(p.l); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for range 2 {
			if err := host.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := host.Wake(); err != executor.ErrClosed {
			t.Error(err)
		}
	})
	return p
}

func (p *place) run(t *testing.T) {
	t.Helper()
	if err := p.host.Run(); err != nil {
		t.Fatal(err)
	}
}

// until makes rounds, and counts them.
func (p *place) until(done func() bool) (rounds int) {
	for ; !done(); rounds++ {
		p.Round()
	}
	return rounds
}

// wait makes rounds for a while, by the loop's own timer.
func (p *place) wait(d time.Duration) (rounds int) {
	over := false
	p.After(d, func() { over = true })
	return p.until(func() bool { return over })
}
