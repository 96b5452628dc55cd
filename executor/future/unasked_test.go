// SPDX-License-Identifier: Apache-2.0

package future

import (
	"runtime"
	"testing"

	. "github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/internal/test"
)

// Executors, tasks, timers and workers start no goroutine; only Start does.
func TestNothingIsStartedUnasked(t *testing.T) {
	before := runtime.NumGoroutine()
	r, p := newRig(t), NewPool(PoolConfig{})
	if err := p.Join(r.Local); err != nil {
		t.Fatal(err)
	}
	for _, on := range []Executor{r.Local, p} {
		mustSpawn(t, on, Future[struct{}](SleepUntil(5)))
		mustSpawn[int](t, on, Timeout[int](5, NewPromise[int](nil)))
		mustSpawn[int](t, on, &probe{OnPoll: func(cx *Context) { cx.Context().Done() }}, WithDeadline(5))
	}
	r.turn(6)
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines more", n-before)
	}
	r.now = 10
	r.turn(4)
	test.Equal(t, "live", r.Live()+p.Live(), 0)
	if err := r.Local.Free(); err != nil {
		t.Error(err)
	}
	if err := p.Free(); err != nil {
		t.Error(err)
	}
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines more", n-before)
	}
}
