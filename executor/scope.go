// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"errors"
	"fmt"
)

// Scope owns tasks, and ends when they have. The first error among them cancels the
// others; it is the scope's error, with those that followed attached. A scope is a
// [Future] itself, which is ready when it has ended; a task that is cancelled while
// it awaits one cancels the children and waits for them.
//
//	s := executor.NewScope(l, executor.ScopeConfig{Limit: 8})
//	for _, url := range urls {
//		executor.Spawn(s, fetch(url))
//	}
//	_, err := coro.Await(co, s)
//
// Straight-line code has coro.WithScope, and futures have future.Scoped: both also cancel
// what runs in the scope beside its children.
//
// # Notes
//
// All children live on the scope's [Local], and everything here belongs to its
// owner: a scope that ends at once when it is dropped can't have children that other
// threads are polling just now, so that tasks of a [Pool] have none. A child may spawn further children. A child's value stays in its [Task], so
// that results are there in any order that the caller likes; see [Scope.Next] for
// the order in which they end.
type Scope struct {
	local      *Local
	config     ScopeConfig
	head, tail *task // the children that haven't ended, in the order of their spawn
	waiting    *task // the first of them that the limit holds back
	running    int
	finished   []Child // for Next
	err        *ScopeError
	ending     bool // the children were asked to end
	over       bool // nothing can be spawned any more
	waiter     Waker
	next       Waker
}

// ScopeConfig changes what a scope does. The zero ScopeConfig is the usual one.
type ScopeConfig struct {
	Limit  int  // how many children run at once, while the others wait in their order; 0 is all
	Stream bool // children that have ended are kept for Next
}

// ScopeError is the error of a scope. errors.Is and errors.As find all that is in
// it.
type ScopeError struct {
	First  error   // what ended the scope
	Others []error // what else went wrong until all children had ended
}

// Error is the message of the first error, and how many others there were.
func (e *ScopeError) Error() string {
	if len(e.Others) == 0 {
		return e.First.Error()
	}
	return fmt.Sprintf("%v (and %d more)", e.First, len(e.Others))
}

// Unwrap gives the first error and all others.
func (e *ScopeError) Unwrap() []error { return append([]error{e.First}, e.Others...) }

// member is what makes a task a scope's child.
type member struct {
	scope      *Scope
	prev, next *task
	held       bool // back by the limit
	asked      bool // to end, by the scope
}

// NewScope makes a scope on l. It starts nothing, and a scope that never had a child
// needn't be dropped.
func NewScope(l *Local, c ScopeConfig) *Scope { return &Scope{local: l, config: c} }

func (s *Scope) spawner() *task { return s.local.current }

// spawn makes a task a child, which is no task before.
func (s *Scope) spawn(t *task) error {
	if s.ending || s.over {
		return ErrClosed
	}
	t.more()
	if err := s.local.spawn(t); err != nil {
		return err
	}
	s.adopt(t)
	return nil
}

func (s *Scope) adopt(t *task) {
	m := &t.extra.member
	*m = member{scope: s, prev: s.tail}
	if s.tail != nil {
		s.tail.extra.member.next = t
	} else {
		s.head = t
	}
	s.tail = t
	if s.config.Limit <= 0 || s.running < s.config.Limit {
		s.running++
		return
	}
	m.held = true
	if t.flags&flagCancel == 0 { // by a deadline that was over at the spawn
		s.local.ready.remove(t)
		t.flags &^= flagReady
	}
	if s.waiting == nil {
		s.waiting = t
	}
}

// Detach takes the task out of its scope, which then neither waits for it nor cancels
// it. It starts at once if the scope's limit held it back. For a task without a scope
// it does nothing.
func (t *Task[T]) Detach() {
	if t.extra != nil && t.extra.member.scope != nil {
		s, held := t.extra.member.scope, t.extra.member.held
		s.unlink(&t.task)
		if held {
			s.start(&t.task)
		}
		if s.local.ready.len() > 0 { // it, who comes next, or who awaits the scope
			s.local.wakeHost()
		}
	}
}

// start lets a child go that was held back, unless it is being dropped just now.
func (s *Scope) start(t *task) {
	if t.flags&flagEnding == 0 {
		s.local.makeReady(t)
	}
}

// unlink takes a child out, and lets the next one in.
func (s *Scope) unlink(t *task) {
	m := t.extra.member
	t.extra.member = member{}
	if m.prev != nil {
		m.prev.extra.member.next = m.next
	} else {
		s.head = m.next
	}
	if m.next != nil {
		m.next.extra.member.prev = m.prev
	} else {
		s.tail = m.prev
	}
	if s.waiting == t {
		s.waiting = m.next
	}
	if !m.held {
		s.running--
	}
	for s.waiting != nil && s.running < s.config.Limit {
		t := s.waiting
		s.waiting = t.extra.member.next
		t.extra.member.held = false
		s.running++
		s.start(t)
	}
	if s.head == nil {
		s.local.wake(s.waiter)
		s.local.wake(s.next)
	}
}

// ended is what a child that has finished tells.
func (s *Scope) ended(t *task) {
	asked := t.extra.member.asked
	s.unlink(t)
	if err := t.run.Err(); err != nil && !(asked && errors.Is(err, ErrCancelled)) {
		s.Fail(err)
	}
	if s.config.Stream {
		s.finished = append(s.finished, t.run.(Child))
		s.local.wake(s.next)
	}
}

// Fail gives the scope an error, as if a child had it.
func (s *Scope) Fail(err error) {
	if s.err != nil {
		s.err.Others = append(s.err.Others, err)
		return
	}
	s.err = &ScopeError{First: err}
	s.Cancel()
}

// Cancel asks the children to end. The scope ends when they have; that they were
// cancelled is no error of its.
func (s *Scope) Cancel() {
	if s.ending {
		return
	}
	s.ending = true
	for t := s.head; t != nil; t = t.extra.member.next {
		t.extra.member.asked = true
		s.local.noteCancel(t)
	}
	s.local.wake(s.waiter)
	s.local.wakeHost()
}

// Ending says whether the children were asked to end, by Cancel or by an error.
func (s *Scope) Ending() bool { return s.ending }

// Err gives the scope's error so far: nil or a [ScopeError].
func (s *Scope) Err() error {
	if s.err == nil {
		return nil
	}
	return s.err
}

// Watch has the task that is being polled woken when the scope is ending or has no
// child left, as Poll does. It is for whoever runs code in the scope.
//
// # Errors
//
// [ErrWrongLocal] on another executor, and in a task of a [Pool].
func (s *Scope) Watch(cx *Context) error {
	if !cx.isOf(s.local) {
		return ErrWrongLocal
	}
	s.waiter = cx.Waker()
	return nil
}

// Poll implements [Future]: it is ready when all children have ended, and nothing
// can be spawned then.
//
// # Errors
//
// A [ScopeError]; those of [Scope.Watch].
func (s *Scope) Poll(cx *Context) (none struct{}, ready bool, err error) {
	if err := s.Watch(cx); err != nil {
		return none, true, err
	}
	if s.head != nil {
		return none, false, nil
	}
	s.over = true
	return none, true, s.Err()
}

// Unwind implements [Unwinder]: it cancels the children and waits for them.
func (s *Scope) Unwind(cx *Context) (done bool, err error) {
	s.Cancel()
	_, done, err = s.Poll(cx)
	return done, err
}
