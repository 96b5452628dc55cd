// SPDX-License-Identifier: Apache-2.0

package simhost_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/future"
	"github.com/pillion-dev/pillion/executor/internal/test"
	"github.com/pillion-dev/pillion/executor/simhost"
)

func TestMain(m *testing.M) { test.Main(m) }

type none = struct{}

// spawn spawns a coroutine.
func spawn(s *simhost.Sim, e executor.Executor, name string, body func(co *coro.Co) error) *executor.Task[none] {
	t, err := simhost.Spawn(s, e, name, coro.New(func(co *coro.Co) (none, error) { return none{}, body(co) }))
	if err != nil {
		s.Fatalf("spawn %s: %v", name, err)
	}
	return t
}

func sleep(co *coro.Co, d time.Duration) error {
	_, err := coro.Await(co, future.Sleep(d))
	return err
}

// gate is a future that somebody opens.
type gate struct {
	open  bool
	waker executor.Waker
}

func (g *gate) Poll(cx *executor.Context) (none, bool, error) {
	g.waker = cx.Waker()
	return none{}, g.open, nil
}

func (g *gate) opened() {
	g.open = true
	g.waker.Wake()
}

func TestClockJumps(t *testing.T) {
	simhost.Run(t, func(s *simhost.Sim) {
		s.Delay = 0
		l := s.Local("l", executor.Config{})
		spawn(s, l, "sleeper", func(co *coro.Co) error {
			for i := range 3 {
				if err := sleep(co, 24*time.Hour); err != nil {
					return err
				}
				if now := s.Now(); now != 1+int64(i+1)*int64(24*time.Hour) {
					s.Errorf("woken at %d", now)
				}
			}
			return nil
		})
	})
}

func TestTwoLocalsWakeEachOther(t *testing.T) {
	simhost.Run(t, func(s *simhost.Sim) {
		a, b := s.Local("a", executor.Config{}), s.Local("b", executor.Config{})
		there, back := new(gate), new(gate)
		spawn(s, a, "ping", func(co *coro.Co) error {
			there.opened()
			_, err := coro.Await(co, back)
			return err
		})
		spawn(s, b, "pong", func(co *coro.Co) error {
			_, err := coro.Await(co, there)
			back.opened()
			return err
		})
	})
}

// forgetful is a lock with a bug: it has place for one waiter only. Poll takes it.
type forgetful struct {
	held  bool
	waker executor.Waker
}

func (m *forgetful) Poll(cx *executor.Context) (none, bool, error) {
	if m.held {
		m.waker = cx.Waker()
		return none{}, false, nil
	}
	m.held = true
	return none{}, true, nil
}

func (m *forgetful) unlock() {
	m.held = false
	m.waker.Wake()
}

// planted runs well as long as no two wait for the lock at once.
func planted(s *simhost.Sim) {
	lock := new(forgetful)
	for i := range 3 {
		l := s.Local(fmt.Sprint("l", i), executor.Config{})
		spawn(s, l, fmt.Sprint("t", i), func(co *coro.Co) error {
			if err := sleep(co, time.Duration(s.Rand().IntN(1000))*time.Microsecond); err != nil {
				return err
			}
			if _, err := coro.Await(co, lock); err != nil {
				return err
			}
			defer lock.unlock()
			return sleep(co, 100*time.Microsecond)
		})
	}
}

func TestPlantedBugIsFoundAndReplays(t *testing.T) {
	f := simhost.Find(1000, planted)
	if f == nil {
		t.Fatal("not found")
	}
	if !errors.Is(f.Err, simhost.ErrDeadlock) || !strings.Contains(f.Err.Error(), "nothing will wake t") {
		t.Errorf("error: %v", f.Err)
	}
	if f.Seed == 1 {
		t.Error("any run fails, which shows nothing")
	}
	trace, again := simhost.Replay(f.Seed, planted)
	if again == nil || again.Err.Error() != f.Err.Error() || !slices.Equal(trace, f.Trace) {
		t.Errorf("seed %d isn't the same run again", f.Seed)
	}
}

func TestSeedsDiffer(t *testing.T) {
	traces := map[string]bool{}
	for seed := range uint64(20) {
		trace, f := simhost.Replay(seed, func(s *simhost.Sim) {
			for i := range 2 {
				l := s.Local(fmt.Sprint("l", i), executor.Config{})
				spawn(s, l, fmt.Sprint("t", i), func(co *coro.Co) error { return co.Yield() })
			}
		})
		if f != nil {
			t.Fatal(f.Err)
		}
		traces[fmt.Sprint(trace)] = true
	}
	if len(traces) < 10 {
		t.Errorf("20 seeds gave %d runs", len(traces))
	}
}

func TestPoolWorkersAreLocals(t *testing.T) {
	simhost.Run(t, func(s *simhost.Sim) {
		pool := s.Pool(executor.PoolConfig{Seed: s.Rand().Uint64()})
		for i := range 3 {
			l := s.Local(fmt.Sprint("worker", i), executor.Config{})
			if err := pool.Join(l); err != nil {
				s.Fatalf("join: %v", err)
			}
		}
		ended := 0
		for i := range 10 {
			g, n := new(gate), 0
			simhost.Spawn(s, pool, fmt.Sprint("task", i), future.Func[none](func(cx *executor.Context) (none, bool, error) {
				if n++; n < 3 {
					cx.WakeSelf()
					return none{}, false, nil
				}
				_, ready, err := g.Poll(cx)
				return none{}, ready, err
			}), executor.OnDone[none](func(none, error, executor.Outcome) { ended++ }))
			s.After(time.Duration(i)*time.Microsecond, "open", g.opened)
		}
		if err := s.Run(); err != nil || ended != 10 {
			s.Errorf("%d have ended: %v", ended, err)
		}
	})
}

// TestFailsIfAsked is run by TestFailuresAreReported in a process of its own.
func TestFailsIfAsked(t *testing.T) {
	if os.Getenv("PILLION_SIMHOST_FAILS") == "" {
		t.Skip("for TestFailuresAreReported")
	}
	simhost.Run(t, planted)
}

func TestFailuresAreReported(t *testing.T) {
	if runtime.GOOS == "js" || runtime.GOOS == "wasip1" {
		t.Skip("no processes")
	}
	again := func(env ...string) string {
		cmd := exec.Command(os.Args[0], "-test.run=^TestFailsIfAsked$")
		cmd.Env = append(os.Environ(), append(env, "PILLION_SIMHOST_FAILS=1")...)
		out, err := cmd.CombinedOutput()
		if err == nil {
			t.Fatalf("it didn't fail:\n%s", out)
		}
		_, report, _ := strings.Cut(string(out), "seed ")
		report, _, _ = strings.Cut(report, "FAIL")
		return report
	}
	first := again("PILLION_SEED=", "PILLION_SEEDS=1000")
	replay := regexp.MustCompile(`replay: (PILLION_SEED=\d+) go test -run '\^TestFailsIfAsked\$'; the run is the same each time`).FindStringSubmatch(first)
	if replay == nil {
		t.Fatalf("the report doesn't say how to replay:\n%s", first)
	}
	if second := again(replay[1]); second != first {
		t.Errorf("the replay:\n%s\nisn't:\n%s", second, first)
	}
}

func TestFailures(t *testing.T) {
	for name, c := range map[string]struct {
		want string
		body func(s *simhost.Sim, l *executor.Local)
	}{
		"a task's panic": {"task t: panic: oops", func(s *simhost.Sim, l *executor.Local) {
			spawn(s, l, "t", func(*coro.Co) error { panic("oops") })
		}},
		"a task's failure": {"not so", func(s *simhost.Sim, l *executor.Local) {
			spawn(s, l, "t", func(*coro.Co) error { s.Fatalf("not so"); return nil })
		}},
		"a failure of the body": {"failed", func(s *simhost.Sim, l *executor.Local) { s.FailNow() }},
		"a panic of the body":   {"panic: oops", func(s *simhost.Sim, l *executor.Local) { panic("oops") }},
		"without a name": {"nothing will wake 1 without a name", func(s *simhost.Sim, l *executor.Local) {
			executor.Spawn(l, executor.Future[none](new(gate)))
		}},
		"an endless task": {simhost.ErrEndless.Error(), func(s *simhost.Sim, l *executor.Local) {
			executor.Spawn(l, future.Func[none](func(cx *executor.Context) (none, bool, error) {
				cx.WakeSelf()
				return none{}, false, nil
			}))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			_, f := simhost.Replay(1, func(s *simhost.Sim) { c.body(s, s.Local("l", executor.Config{})) })
			if f == nil || !strings.Contains(f.Err.Error(), c.want) {
				t.Errorf("got %+v, want %q", f, c.want)
			}
		})
	}
}

func TestTraceOfAShortRun(t *testing.T) {
	trace, f := simhost.Replay(2, func(s *simhost.Sim) {
		s.Delay = 0
		l := s.Local("l", executor.Config{})
		g := new(gate)
		t, _ := simhost.Spawn(s, l, "t", future.Timeout[none](time.Second, g))
		s.After(10, "open", g.opened)
		s.After(20, "cancel", func() { t.Cancel() })
	})
	if f != nil {
		t.Fatal(f.Err)
	}
	var got []string
	for _, e := range trace {
		if e.Kind == simhost.Turned {
			e.N = 0 // the budget
		}
		got = append(got, strings.Join(strings.Fields(e.String()), " "))
	}
	want := []string{
		"1ns poke l", "1ns spawn t",
		"1ns turn l", "1ns poll t", "1ns polled l 1", "1ns waits l 1000000001",
		"11ns outside open", "11ns poke l",
		"11ns turn l", "11ns poll t", "11ns drop t", "11ns polled l 1", "11ns end t",
		"21ns outside cancel",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got:\n%s", strings.Join(got, "\n"))
	}
}
