// SPDX-License-Identifier: Apache-2.0

// Package kit has the cases of every loop, those of tests/conformance/loops, for hosts in
// Go: by the same names, and in files of the same names. A host's test is a [Driver].
package kit

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/offload"
	"github.com/pillion-dev/pillion/executor/watch"
)

// Loop is a loop of a test.
type Loop interface {
	Host() (Host, error)             // a new one on it
	Round(wait bool)                 // one round of the loop
	After(d time.Duration, f func()) // calls f in a handler
	Readable(fd int, f func()) error // calls f in each round in which fd is readable
	Destroy()                        // whatever is on it; a second call does nothing
}

// Ender is a Loop that ends by itself: RunOut runs it until it does.
type Ender interface{ RunOut() }

// Host is what a host of package foreign is.
type Host interface {
	executor.Host
	Attach(l *executor.Local) error
	Run() error // the loop, until no task lives
	Err() error
	Close() error
}

// Driver is a kind of loop.
type Driver struct {
	Open   func() (Loop, error)
	Lacks  watch.Events      // what it doesn't tell
	Files  bool              // it takes regular files, which are always ready
	Once   bool              // it takes a descriptor once
	Exempt map[string]string // why cases don't apply; * is any part of their names
}

// cases are those of the files beside this one.
var cases = make(map[string]func(r *rig))

// lacks says why no host in Go has a case.
var lacks = map[string]string{
	"a_loop_that_gathers_is_woken_once_for_many":            "an executor of Go's has no option `gather`",
	"a_handler_may_run_the_loop":                            later,
	"a_handler_waits_for_the_event_behind_its_own":          later,
	"descriptors_are_watched_in_a_loop_that_a_handler_runs": later,
	"a_poll_in_a_turn_by_hand_runs_the_loop":                "its host alone makes turns",
	"detach_leaves_what_lives_to_the_next_loop":             oneHost,
	"a_sleeping_task_moves_to_the_next_loop":                oneHost,
	"detach_in_on_event_loses_no_event":                     oneHost,
	"detach_and_free_in_on_event":                           oneHost,
	"detach_inside_a_turn_waits_for_its_end":                oneHost,
	"attach_elsewhere_moves_the_executor":                   oneHost,
	"an_executor_moves_to_a_loop_of_another_kind_and_back":  oneHost,
	"an_attach_without_memory_changes_nothing":              "Go ends the process without memory",
	"go_is_entered_for_its_polls_only":                      itsOwn,
	"go_and_c_fill_a_socket":                                itsOwn,
	"a_cancelled_go_task_does_not_spin":                     itsOwn,
	"an_executor_is_freed_while_go_waits":                   itsOwn,
	"items_of_many_calls_come_in_order_within_their_credit": noFlows,
	"a_call_without_credit_wakes_no_loop":                   noFlows,
	"lent_functions_are_answered_in_handlers":               noFlows,
	"a_cancel_in_an_items_handler_ends_the_items":           noFlows,
	"free_in_an_items_handler_ends_all":                     noFlows,
	"items_move_to_the_next_loop_with_their_executor":       noFlows,
	"items_come_in_a_loop_that_an_items_handler_runs":       noFlows,
	"items_come_among_signals_and_children":                 noFlows,
	"items_come_where_no_descriptor_is_left":                noFlows,
}

// NestedCases are those of a loop in a handler of its own.
const NestedCases = "a_loop_inside_a_poll_* a_poll_runs_* a_late_wake_*"

const (
	later   = "turns wait for the end of a handler of Go's"
	oneHost = "an executor of Go's has one host, whose Close frees it"
	noFlows = "its tasks have channels; flows are the library's"
	itsOwn  = "all its tasks are Go's, as in the cases of watch"
)

// why tells why the loop can't have a case, or nothing.
func (d *Driver) why(name string) string {
	if reason := lacks[name]; reason != "" {
		return reason
	}
	for patterns, reason := range d.Exempt {
		for pattern := range strings.FieldsSeq(patterns) {
			if ok, _ := path.Match(pattern, name); ok {
				return reason
			}
		}
	}
	return ""
}

// Run runs the cases on loops of a kind.
func Run(t *testing.T, d Driver) {
	names := slices.Concat(slices.Collect(maps.Keys(cases)), slices.Collect(maps.Keys(lacks)))
	for _, name := range slices.Sorted(slices.Values(names)) {
		t.Run(name, func(t *testing.T) {
			if reason := d.why(name); reason != "" {
				t.Skip("does not apply: " + reason)
			}
			cases[name](d.open(t))
		})
	}
}

// Main runs the tests of a package, and finds goroutines that they leave behind.
func Main(m *testing.M) {
	code := m.Run()
	offload.Blocking().Close()
	if err := goleak.Find(goleak.IgnoreAnyFunction("runtime.handleEvent")); err != nil && code == 0 { // js has one of its own
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// rig is an executor on a loop.
type rig struct {
	testing.TB
	*Driver
	Loop
	host Host
	l    *executor.Local
}

// open makes a loop with an executor on it.
func (d *Driver) open(t testing.TB) *rig { return d.bare(t).beside(executor.Config{}) }

// bare makes a loop.
func (d *Driver) bare(t testing.TB) *rig {
	t.Helper()
	loop, err := d.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(loop.Destroy)
	return &rig{TB: t, Driver: d, Loop: loop}
}

// apart makes a host on the loop, and an executor that isn't attached yet.
func (r *rig) apart(c executor.Config) *rig {
	r.Helper()
	host, err := r.Host()
	if err != nil {
		r.Fatal(err)
	}
	c.Host = host
	if plain, is := host.(*Plain); is {
		c.Host = plain.On
	}
	other := &rig{r.TB, r.Driver, r.Loop, host, executor.New(c)}
	r.Cleanup(func() { other.close() })
	return other
}

// beside puts one more executor on the loop.
func (r *rig) beside(c executor.Config) *rig {
	r.Helper()
	other := r.apart(c)
	other.want(other.host.Attach(other.l), nil)
	return other
}

// close closes the host, and finds it closed.
func (r *rig) close() {
	r.Helper()
	for range 2 {
		if err := r.host.Close(); err != nil {
			r.Error("Close:", err)
		}
	}
	if _, is := r.host.(*Plain); !is && r.host.Wake() != executor.ErrClosed {
		r.Error("a closed host takes wakes")
	}
}

func (r *rig) want(got, want error) {
	r.Helper()
	if !errors.Is(got, want) {
		r.Fatalf("got %v, want %v", got, want)
	}
}

// is fails unless it is so; what says more of it.
func (r *rig) is(so bool, what ...any) {
	r.Helper()
	if !so {
		r.Fatal(what...)
	}
}

func (r *rig) run() {
	r.Helper()
	r.want(r.host.Run(), nil)
}

// runOut runs the loop until it ends by itself, or until nothing lives.
func (r *rig) runOut() {
	if loop, ok := r.Loop.(Ender); ok {
		loop.RunOut()
	} else {
		_ = r.host.Run()
	}
}

// settle makes so many rounds that what is ready has been done.
func (r *rig) settle() {
	for range 4 {
		r.Round(false)
	}
}

// until makes rounds, and counts them.
func (r *rig) until(done func() bool) (rounds int) {
	for ; !done(); rounds++ {
		r.Round(true)
	}
	return rounds
}

// wait makes rounds for a while, by the loop's own timer.
func (r *rig) wait(d time.Duration) (rounds int) {
	over := false
	r.After(d, func() { over = true })
	return r.until(func() bool { return over })
}
