// SPDX-License-Identifier: Apache-2.0

package executor

// Drop implements [Dropper]: it ends the remaining children at once, shielded or not.
//
// # Notes
//
// A child that drops its own scope is in the middle of its poll. Drop asks it to end,
// and it leaves the scope.
//
// The drop of a child may drop a scope, and so on. Beyond a hundred nested drops the
// outermost drop ends the children, after their owners.
func (s *Scope) Drop() {
	l := s.local
	s.ending, s.over = true, true
	if l.dropping == maxDropping {
		l.undropped = append(l.undropped, s)
		return
	}
	l.dropping++
	s.evictAll()
	for l.dropping == 1 && len(l.undropped) > 0 {
		last := len(l.undropped) - 1
		s, l.undropped = l.undropped[last], l.undropped[:last]
		s.evictAll()
	}
	l.dropping--
}

// maxDropping keeps a drop's stack short: WebAssembly ends the process when its stack
// is full.
const maxDropping = 100

func (s *Scope) evictAll() {
	for s.head != nil {
		t := s.head
		t.extra.member.asked = true
		if !s.local.evict(t) {
			s.unlink(t)
			s.local.noteCancel(t)
		}
	}
}
