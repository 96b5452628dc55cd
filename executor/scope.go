// SPDX-License-Identifier: Apache-2.0

package executor

import "errors"

// Scope owns tasks, and ends when they have. The first error among them cancels the
// others and becomes the scope's error. If more fail, the scope's error counts them in
// its message, and unwraps to all of them in their order. A scope is a [Future] itself,
// which is ready when it has ended. If a task is cancelled while it awaits a scope, the
// scope cancels its children and the task waits for them.
//
//	s := executor.NewScope(l, executor.ScopeConfig{Limit: 8})
//	for _, url := range urls {
//		executor.Spawn(s, fetch(url))
//	}
//	_, err := coro.Await(co, s)
//
// Straight-line code has coro.WithScope, and futures have future.Scoped: both also
// cancel the body that runs in the scope beside its children.
//
// # Notes
//
// All children live on the scope's [Local], and all methods are for its owner. The drop
// of a scope ends its children at once, which is impossible while other threads poll
// them, so tasks of a [Pool] have no scopes. A child may spawn further children. A
// child's value stays in its [Task], so the caller reads results in any order;
// [Scope.Next] gives the order in which the children end.
type Scope struct {
	local      *Local
	config     ScopeConfig
	head, tail *task // the children that haven't ended, in the order of their spawn
	waiting    *task // the first child that the limit holds back
	running    int
	finished   []Child // for Next
	errs       []error // the first has ended it
	ending     bool    // the children were asked to end
	over       bool    // no spawn is possible any more
	waiter     Waker
	next       Waker
}

// ScopeConfig changes what a scope does. The zero ScopeConfig is the usual one.
type ScopeConfig struct {
	Limit  int  // as many children run at once; the others wait in their order; 0: no limit
	Stream bool // the scope keeps ended children for Next
}

// member is the part of a task that makes it a scope's child.
type member struct {
	scope      *Scope
	prev, next *task
	held       bool // by the limit
	asked      bool // by the scope, to end
}

// NewScope makes a scope on l. It starts nothing, and a scope that never had a child
// needn't be dropped.
func NewScope(l *Local, c ScopeConfig) *Scope { return &Scope{local: l, config: c} }

func (s *Scope) spawner() *task { return s.local.current }

// spawn makes a new task a child.
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
	if t.flags&flagCancel == 0 { // its deadline was over at the spawn
		s.local.ready.remove(t)
		t.flags &^= flagReady
	}
	if s.waiting == nil {
		s.waiting = t
	}
}

// Detach takes the task out of its scope, which then neither waits for it nor cancels
// it. If the scope's limit held the task back, it starts at once. For a task without a
// scope Detach does nothing.
func (t *Task[T]) Detach() {
	if t.extra != nil && t.extra.member.scope != nil {
		s, held := t.extra.member.scope, t.extra.member.held
		s.unlink(&t.task)
		if held {
			s.start(&t.task)
		}
		if s.local.ready.len() > 0 { // this task, the next child, or the scope's waiter
			s.local.wakeHost()
		}
	}
}

// start starts a child that was held back, unless its drop runs just now.
func (s *Scope) start(t *task) {
	if t.flags&flagEnding == 0 {
		s.local.makeReady(t)
	}
}

// unlink removes a child, and lets the next one in.
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

// ended takes note of a child that has finished.
func (s *Scope) ended(t *task) {
	asked := t.extra.member.asked
	s.unlink(t)
	if err := t.run.Err(); err != nil && !(asked && errors.Is(err, ErrCancelled)) {
		s.Cancel(err)
	}
	if s.config.Stream {
		s.finished = append(s.finished, t.run.(Child))
		s.local.wake(s.next)
	}
}

// Cancel asks the children to end. The scope ends when they have. Their cancel does not
// fail the scope, but a cause that isn't nil does, as if a child had failed with it.
func (s *Scope) Cancel(cause error) {
	if cause != nil {
		s.errs = append(s.errs, cause)
	}
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

// Ending reports whether Cancel or an error has asked the children to end.
func (s *Scope) Ending() bool { return s.ending }

// Watch arranges, as Poll does, that the task in its poll is woken when the scope is
// ending or has no child left. It is for code that runs in the scope.
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

// Poll implements [Future]: it is ready when all children have ended. Then no spawn is
// possible any more.
//
// # Errors
//
// The scope's, and those of [Scope.Watch].
func (s *Scope) Poll(cx *Context) (none struct{}, ready bool, err error) {
	if err := s.Watch(cx); err != nil {
		return none, true, err
	}
	if s.head != nil {
		return none, false, nil
	}
	s.over = true
	switch len(s.errs) {
	case 0:
		return none, true, nil
	case 1:
		return none, true, s.errs[0]
	}
	return none, true, (*scopeErrors)(&s.errs)
}

// Unwind implements [Unwinder]: it cancels the children and waits for them.
func (s *Scope) Unwind(cx *Context) (done bool, err error) {
	s.Cancel(nil)
	_, done, err = s.Poll(cx)
	return done, err
}

// Child is a [Task] of any type.
type Child interface {
	Handle() Handle
	Outcome() Outcome
	Err() error
}

// Next is the future of the next ended child that it hasn't given yet; its value is nil
// when none is left. The scope must have [ScopeConfig.Stream].
//
//	for {
//		child, err := coro.Await(co, s.Next())
//		if child == nil || err != nil {
//			return err
//		}
//		...
//	}
func (s *Scope) Next() Future[Child] {
	if !s.config.Stream {
		panic("executor: Next of a Scope without ScopeConfig.Stream")
	}
	return (*scopeNext)(s)
}

type scopeNext Scope

func (n *scopeNext) Poll(cx *Context) (child Child, ready bool, err error) {
	switch {
	case !cx.isOf(n.local):
		return nil, true, ErrWrongLocal
	case len(n.finished) > 0:
		child, n.finished[0] = n.finished[0], nil
		n.finished = n.finished[1:]
		return child, true, nil
	case n.head == nil:
		return nil, true, nil
	}
	n.next = cx.Waker()
	return nil, false, nil
}
