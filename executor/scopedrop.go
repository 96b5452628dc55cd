// SPDX-License-Identifier: Apache-2.0

package executor

// Drop implements [Dropper]: children that are left end here and now, shielded or
// not.
//
// # Notes
//
// A child that drops its own scope is in the middle of its poll: it is asked to end,
// and has left the scope.
//
// The drop of a child may drop a scope, and so on. Beyond a hundred of them in each
// other it is the outermost that ends the children, after their owners.
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

// maxDropping keeps a drop's stack short: WebAssembly's ends the process.
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
