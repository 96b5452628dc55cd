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

func (s *Sim) fail(format string, args ...any) {
	if s.failure == nil {
		s.failure = fmt.Errorf(format, args...)
	}
}

// Errorf makes the run fail, which reports its first failure. With FailNow and Helper,
// assertion libraries take a Sim for a test.
func (s *Sim) Errorf(format string, args ...any) { s.fail(format, args...) }

// FailNow makes the run fail and ends the body, or the task that calls it.
func (s *Sim) FailNow() {
	s.fail("failed")
	panic(failed{})
}

// Fatalf is Errorf and FailNow.
func (s *Sim) Fatalf(format string, args ...any) {
	s.fail(format, args...)
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
			s.fail("%w", err)
		}
	})
	trace := s.trace // without the events of Free
	s.attempt(func() {
		if err := s.Free(); err != nil {
			s.fail("%w", err)
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
			s.fail("%w\n%s", err, err.Stack)
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
	if only := os.Getenv("PILLION_SEED"); only != "" {
		seed, err := strconv.ParseUint(only, 10, 64)
		if err != nil {
			t.Fatalf("PILLION_SEED: %v", err)
		}
		_, f = Replay(seed, body)
	} else {
		f = Find(seedsOf(t), body)
	}
	if f != nil {
		t.Fatal(f.report(t.Name(), body))
	}
}

func seedsOf(t *testing.T) int {
	n := os.Getenv("PILLION_SEEDS")
	if n == "" {
		return 100
	}
	seeds, err := strconv.Atoi(n)
	if err != nil {
		t.Fatalf("PILLION_SEEDS: %v", err)
	}
	return seeds
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
