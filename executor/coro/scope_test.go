// SPDX-License-Identifier: Apache-2.0

package coro

import (
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/future"
	"github.com/pillion-dev/pillion/executor/internal/test"
)

var errFailed = errors.New("failed")

// kid is a body that sleeps for ever and notes its end.
func kid(trace *string, name string) func(co *Co) (int, error) {
	return func(co *Co) (int, error) {
		_, err := Await(co, future.Sleep(time.Hour))
		*trace += fmt.Sprintf("%s: %v; ", name, err)
		return 0, err
	}
}

func scoped(body func(co *Co, s *executor.Scope) error) func(co *Co) (int, error) {
	return func(co *Co) (int, error) {
		return 1, WithScope(co, executor.ScopeConfig{}, func(s *executor.Scope) error { return body(co, s) })
	}
}

func settle(l *executor.Local) {
	for poll(l).More {
	}
}

func TestWithScopeWaits(t *testing.T) {
	l := newLocal(t)
	g := new(gate)
	trace := ""
	task := spawn(t, l, func(co *Co) (int, error) {
		var child *executor.Task[int]
		err := WithScope(co, executor.ScopeConfig{}, func(s *executor.Scope) error {
			child, _ = Spawn(s, func(co *Co) (int, error) { return Await(co, g) })
			trace += "body; "
			return nil
		})
		v, _ := child.Result()
		trace += fmt.Sprint("after ", v)
		return v, err
	})
	settle(l)
	test.Equal(t, "done", task.Done(), false)
	open(l, g)
	settle(l)
	test.Equal(t, "trace", trace, "body; after 7")
	test.Equal(t, "error", task.Err(), nil)
}

const c = "executor: cancelled"

func TestWithScopeAfterAnError(t *testing.T) {
	for name, f := range map[string]struct {
		body  func(co *Co, s *executor.Scope, trace *string) error
		trace string
	}{
		"of the body": {func(co *Co, s *executor.Scope, trace *string) error {
			co.Yield()
			return errFailed
		}, "a: " + c + "; "},
		"of a child": {func(co *Co, s *executor.Scope, trace *string) error {
			Spawn(s, func(co *Co) (int, error) { return 0, errFailed })
			_, err := Await(co, future.Sleep(time.Hour))
			*trace += fmt.Sprintf("body: %v; ", err)
			test.Equal(t, "Yield", co.Yield(), executor.ErrCancelled)
			test.Equal(t, "in a section", Shield(co, co.Yield), nil)
			return err
		}, "a: " + c + "; body: " + c + "; "},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLocal(t)
			trace := ""
			task := spawn(t, l, func(co *Co) (int, error) {
				_, err := scoped(func(co *Co, s *executor.Scope) error {
					Spawn(s, kid(&trace, "a"))
					return f.body(co, s, &trace)
				})(co)
				test.Equal(t, "afterwards all goes on", co.Yield(), nil)
				return 0, err
			})
			settle(l)
			test.Equal(t, "error", task.Err(), errFailed)
			if name == "of a child" {
				test.Equal(t, "length", len(trace), len(f.trace)) // either may come first
			} else {
				test.Equal(t, "trace", trace, f.trace)
			}
			test.Equal(t, "outcome", task.Outcome(), executor.Returned)
			test.Equal(t, "suspended", Suspended(l), 0)
		})
	}
}

func TestPanicInAScope(t *testing.T) {
	l := newLocal(t)
	trace := ""
	task := spawn(t, l, scoped(func(co *Co, s *executor.Scope) error {
		Spawn(s, kid(&trace, "a"))
		co.Yield()
		panic(errFailed)
	}))
	settle(l)
	test.Equal(t, "trace", trace, "a: "+c+"; ")
	test.Equal(t, "error", errors.Is(task.Err(), errFailed), true)
	test.Equal(t, "suspended", Suspended(l), 0)
}

func TestCancelOfACoroutineWithAScope(t *testing.T) {
	for name, body := range map[string]func(co *Co) error{
		"in the body":  func(co *Co) error { _, err := Await(co, future.Sleep(time.Hour)); return err },
		"in its end":   func(co *Co) error { return nil },
		"and hides it": func(co *Co) error { Await(co, future.Sleep(time.Hour)); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLocal(t)
			trace := ""
			g := new(gate)
			var got error
			task := spawn(t, l, func(co *Co) (int, error) {
				_, got = scoped(func(co *Co, s *executor.Scope) error {
					Spawn(s, func(co *Co) (int, error) {
						defer Shield(co, func() error {
							_, err := Await(co, g)
							trace += "cleaned up; "
							return err
						})
						return kid(&trace, "a")(co)
					})
					return body(co)
				})(co)
				trace += "after; "
				return 0, got
			})
			settle(l)
			task.Cancel()
			settle(l)
			test.Equal(t, "done", task.Done(), false)
			open(l, g)
			settle(l)
			test.Equal(t, "trace", trace, "a: "+c+"; cleaned up; after; ")
			test.Equal(t, "error", got, executor.ErrCancelled)
			test.Equal(t, "outcome", task.Outcome(), executor.CancelledRunning)
		})
	}
}

// Nothing outlives a scope, also when its coroutine has to go at once. On a locked
// thread the runtime ends the process if a coroutine were resumed elsewhere.
func TestScopeGoesWithItsCoroutine(t *testing.T) {
	for name, end := range map[string]func(*executor.Local, executor.Handle){
		"retire": func(l *executor.Local, _ executor.Handle) { l.Carrier().Retire() },
		"free":   func(l *executor.Local, _ executor.Handle) { l.Free() },
		"evict":  func(l *executor.Local, h executor.Handle) { l.Evict(h) },
	} {
		t.Run(name, func(t *testing.T) {
			done := make(chan struct{})
			go func() {
				defer close(done)
				runtime.LockOSThread()
				l := newLocal(t)
				trace := ""
				task := spawn(t, l, scoped(func(co *Co, s *executor.Scope) error {
					Spawn(s, scoped(func(co *Co, s *executor.Scope) error {
						Spawn(s, kid(&trace, "grandchild"))
						_, err := kid(&trace, "child")(co)
						return err
					}))
					_, err := kid(&trace, "body")(co)
					return err
				}))
				settle(l)
				test.Equal(t, "suspended", Suspended(l), 3)
				end(l, task.Handle())
				test.Equal(t, "suspended", Suspended(l), 0)
				test.Equal(t, "live", l.Live(), 0)
				if name == "evict" {
					test.Equal(t, "trace", trace, "body: "+c+"; child: "+c+"; grandchild: "+c+"; ")
				}
				l.Free()
			}()
			<-done
		})
	}
}

func TestNestedScopes(t *testing.T) {
	l := newLocal(t)
	trace := ""
	task := spawn(t, l, scoped(func(co *Co, s *executor.Scope) error {
		_, err := scoped(func(co *Co, inner *executor.Scope) error {
			Spawn(inner, kid(&trace, "inner"))
			Spawn(s, func(co *Co) (int, error) { co.Yield(); return 0, errFailed })
			_, err := kid(&trace, "body")(co)
			return err
		})(co)
		trace += fmt.Sprintf("between: %v", err)
		return err
	}))
	settle(l)
	test.Equal(t, "trace", trace, "body: "+c+"; inner: "+c+"; between: "+c)
	test.Equal(t, "error", errors.Is(task.Err(), errFailed), true)
	test.Equal(t, "suspended", Suspended(l), 0)
}

func TestShieldAroundAScope(t *testing.T) {
	l := newLocal(t)
	trace := ""
	task := spawn(t, l, func(co *Co) (int, error) {
		return 0, Shield(co, func() error {
			_, err := scoped(func(co *Co, s *executor.Scope) error {
				Spawn(s, func(co *Co) (int, error) { return 0, errFailed })
				_, err := kid(&trace, "body")(co)
				return err
			})(co)
			return err
		})
	})
	settle(l)
	test.Equal(t, "trace", trace, "body: "+c+"; ")
	test.Equal(t, "error", errors.Is(task.Err(), errFailed), true)
}

func TestScopeIsCancelledByItsBody(t *testing.T) {
	l := newLocal(t)
	trace := ""
	task := spawn(t, l, scoped(func(co *Co, s *executor.Scope) error {
		Spawn(s, kid(&trace, "a"))
		co.Yield()
		s.Cancel(nil)
		return nil
	}))
	settle(l)
	test.Equal(t, "trace", trace, "a: "+c+"; ")
	test.Equal(t, "error", task.Err(), nil)
}
