// SPDX-License-Identifier: Apache-2.0

package model

import (
	"errors"
	"slices"

	"github.com/pillion-dev/pillion/executor"
)

// scope is a task's scope.
type scope struct {
	children     []*task // that haven't ended
	limit        int
	running      int
	errs         []error
	ending, over bool
	waiter       *task
}

func (m *Model) ScopeSpawn(script, limit int) error {
	owner := m.current
	if owner.scope == nil {
		owner.scope = &scope{limit: limit}
		if m.Bug == LimitLoose && limit > 0 {
			owner.scope.limit++
		}
	}
	s := owner.scope
	if s.ending || s.over {
		return executor.ErrClosed
	}
	if err := m.Spawn(script, never); err != nil {
		return err
	}
	t := m.tasks[len(m.tasks)-1]
	t.parent = s
	s.children = append(s.children, t)
	if s.limit == 0 || s.running < s.limit {
		s.running++
		return nil
	}
	t.held, t.ready = true, false
	m.ready[slices.Index(m.ready, t)] = nil
	return nil
}

func (m *Model) Scope() (ready bool, err error) {
	s := m.current.scope
	if s == nil {
		return true, nil
	}
	s.waiter = m.current
	if len(s.children) > 0 {
		return false, nil
	}
	s.over = true
	if len(s.errs) == 1 {
		return true, s.errs[0]
	}
	return true, errors.Join(s.errs...)
}

func (m *Model) ScopeCancel() { m.scopeCancel(m.current.scope) }

func (m *Model) scopeCancel(s *scope) {
	if s == nil || s.ending {
		return
	}
	s.ending = true
	for _, t := range s.children {
		t.asked = true
		m.noteCancel(t, executor.ErrCancelled)
	}
	m.wakeWaiter(s)
	m.poke()
}

func (m *Model) wakeWaiter(s *scope) {
	if s.waiter != nil {
		m.makeReady(s.waiter)
	}
}

// childEnded notes a child's error, unless the scope itself asked for the end.
func (m *Model) childEnded(t *task) {
	s := t.parent
	m.leave(t)
	if t.err == nil || t.asked && errors.Is(t.err, executor.ErrCancelled) {
		return
	}
	s.errs = append(s.errs, t.err)
	if len(s.errs) == 1 && m.Bug != SiblingsStay {
		m.scopeCancel(s)
	}
}

// leave removes a child, and lets the next children begin.
func (m *Model) leave(t *task) {
	s := t.parent
	t.parent = nil
	s.children = slices.DeleteFunc(s.children, func(u *task) bool { return u == t })
	if !t.held {
		s.running--
	}
	t.held = false
	for _, next := range s.children {
		if next.held && s.running < s.limit {
			next.held = false
			s.running++
			m.makeReady(next)
		}
	}
	if len(s.children) == 0 {
		m.wakeWaiter(s)
	}
}

// scopeDrop ends the children at once, but for one in its poll.
func (m *Model) scopeDrop(s *scope) {
	if s == nil {
		return
	}
	s.ending, s.over = true, true
	for len(s.children) > 0 {
		t := s.children[0]
		t.asked = true
		if t == m.current {
			m.leave(t)
			m.noteCancel(t, executor.ErrCancelled)
		} else {
			m.evict(t)
		}
	}
}
