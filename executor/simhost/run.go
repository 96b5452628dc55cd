// SPDX-License-Identifier: Apache-2.0

package simhost

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pillion-dev/pillion/executor"
)

// failed is the panic that ends a body at once.
type failed struct{}

// Errorf makes the run fail, which reports its first failure. With FailNow and Helper,
// assertion libraries take a Sim for a test.
func (s *Sim) Errorf(format string, args ...any) {
	if s.failure == nil {
		s.failure = fmt.Errorf(format, args...)
	}
}

// FailNow makes the run fail and ends the body, or the task that calls it.
func (s *Sim) FailNow() { s.Fatalf("failed") }

// Fatalf is Errorf and FailNow.
func (s *Sim) Fatalf(format string, args ...any) {
	s.Errorf(format, args...)
	panic(failed{})
}

// Helper does nothing.
func (s *Sim) Helper() {}

// Failure is a run that failed.
type Failure struct {
	Seed  uint64
	Err   error
	Trace []Event
}

// Replay does one run: body, and then all work that is left. It gives the trace, and
// the failure if the run failed.
func Replay(seed uint64, body func(s *Sim)) ([]Event, *Failure) {
	s := New(seed)
	s.attempt(func() {
		body(s)
		if err := s.Run(); err != nil {
			s.Errorf("%w", err)
		}
	})
	trace := s.trace // without the events of Free
	s.attempt(func() {
		if err := s.Free(); err != nil {
			s.Errorf("%w", err)
		}
	})
	if s.failure != nil {
		return trace, &Failure{seed, s.failure, trace}
	}
	return trace, nil
}

// attempt turns a panic into a failure.
func (s *Sim) attempt(f func()) {
	defer func() {
		switch r := recover(); r.(type) {
		case nil, failed:
		default:
			err := executor.NewPanicError(r)
			s.Errorf("%w\n%s", err, err.Stack)
		}
	}()
	f()
}

// Find tries seeds from 1 on and gives the first failure, or nil.
func Find(seeds int, body func(s *Sim)) *Failure {
	for seed := range uint64(seeds) {
		if _, f := Replay(seed+1, body); f != nil {
			return f
		}
	}
	return nil
}

// Run tries many seeds: as many as PILLION_SEEDS says, or 100, or only the one that
// PILLION_SEED names. body makes executors and tasks. When it returns, Run does all
// their work. body may run the world itself before, to look at the result.
//
// A run fails if body or a named task calls [Sim.Errorf] or panics, if a task never
// ends, and if a host is poked twice. Run then prints the seed, the last events and
// the command that replays the run.
func Run(t *testing.T, body func(s *Sim)) {
	t.Helper()
	var f *Failure
	if seed := setting(t, "PILLION_SEED", 0); seed != 0 {
		_, f = Replay(seed, body)
	} else {
		f = Find(int(setting(t, "PILLION_SEEDS", 100)), body)
	}
	if f != nil {
		t.Fatal(f.report(t.Name(), body))
	}
}

func setting(t *testing.T, name string, usual uint64) uint64 {
	text := os.Getenv(name)
	if text == "" {
		return usual
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// report does the run again, and reports whether that gives the same.
func (f *Failure) report(test string, body func(s *Sim)) string {
	again, _ := Replay(f.Seed, body)
	hint := "the run is the same each time"
	if !slices.Equal(again, f.Trace) {
		hint = "but it isn't the same each time: something in it doesn't come from the simulation"
	}
	return fmt.Sprintf("seed %d: %v\n%sreplay: PILLION_SEED=%d go test -run '^%s$'; %s",
		f.Seed, f.Err, lines(f.Trace, 40), f.Seed, strings.ReplaceAll(test, "/", "$/^"), hint)
}
