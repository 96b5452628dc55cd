// SPDX-License-Identifier: Apache-2.0

package kit

import (
	"errors"
	"slices"
	"time"

	"github.com/pillion-dev/pillion/executor"
)

// Plain is a [Loop], and the [Host] on it, of a package whose loop polls one executor
// itself. The program has timers between the waits.
type Plain struct {
	On     executor.Host
	RunAll func(l *executor.Local) error
	Sleep  func(l *executor.Local, d time.Duration) error // waits, and reports
	End    func() error

	l      *executor.Local
	latest executor.Progress
	timers []timer
	err    error
}

type timer struct {
	at time.Time
	f  func()
}

// PlainExempts are cases of loops that have hosts.
const PlainExempts = NestedCases + " attach_inside_* attach_refuses_* attach_twice_* a_second_adapter_* two_executors_* " +
	"the_loop_may_be_* loop_executor_* a_loop_is_destroyed_* an_adapter_of_* free_in_on_event_* " +
	"a_freed_executors_* a_closed_watch_* a_loop_run_on_* " +
	"a_forked_child_* an_attach_without_descriptors_* the_programs_descriptors_* the_program_watches_* coroutines_end_* an_eviction_* " +
	"a_host_is_closed_* a_goroutine_is_locked_* a_loop_in_* a_panic_stays_* hosts_take_*"

// WatchExempts are cases of loops that watch descriptors.
const WatchExempts = "a_pipe_* one_socket_* an_eventfd_* hang_up_* a_fault_* urgent_* a_number_* what_a_* another_thread_* " +
	"thousands_* descriptors_are_awaited_* an_executor_is_freed_while_tasks_* a_descriptor_closed_* a_regular_* events_that_* a_ready_*"

// Host implements [Loop].
func (p *Plain) Host() (Host, error) { return p, nil }

// Wake implements [executor.Host].
func (p *Plain) Wake() error { return p.On.Wake() }

// Attach implements [Host].
func (p *Plain) Attach(l *executor.Local) error {
	p.l, p.latest = l, executor.Progress{More: true}
	return nil
}

// Run implements [Host].
func (p *Plain) Run() error {
	for len(p.timers) > 0 && p.err == nil {
		p.Round(true)
	}
	return p.RunAll(p.l)
}

// Err implements [Host].
func (p *Plain) Err() error { return p.err }

// Close implements [Host].
func (p *Plain) Close() error {
	if p.l != nil {
		if err := p.l.Free(); err != nil {
			return err
		}
	}
	return p.End()
}

// Round implements [Loop]. It waits as the latest turn has said.
func (p *Plain) Round(wait bool) {
	d := time.Duration(-1)
	if !wait || p.latest.More {
		d = 0
	} else if p.latest.Deadline != executor.Never {
		d = max(0, time.Duration(p.latest.Deadline-p.l.Now()))
	}
	if len(p.timers) > 0 && d != 0 {
		if left := max(0, time.Until(p.timers[0].at)); d < 0 || left < d {
			d = left
		}
	}
	if p.err = p.Sleep(p.l, d); p.err == nil {
		p.latest, p.err = p.l.Poll(executor.Budget{})
	}
	if len(p.timers) > 0 && !time.Now().Before(p.timers[0].at) {
		f := p.timers[0].f
		p.timers = p.timers[1:]
		f()
	}
}

// After implements [Loop].
func (p *Plain) After(d time.Duration, f func()) {
	p.timers = append(p.timers, timer{time.Now().Add(d), f})
	slices.SortFunc(p.timers, func(a, b timer) int { return a.at.Compare(b.at) })
}

// Readable implements [Loop].
func (p *Plain) Readable(int, func()) error { return errors.ErrUnsupported }

// Destroy implements [Loop].
func (p *Plain) Destroy() {}
