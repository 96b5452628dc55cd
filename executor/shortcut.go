// SPDX-License-Identifier: Apache-2.0

package executor

// shortcut lets a [Local] resume a coroutine without [Future.Poll]. Each frame between
// a turn and the switch costs a return that the processor can't foresee.
type shortcut struct {
	resume func() (suspended, ok bool)
	runner // the task's own runner, which the shortcut replaces
	task   *task
}

// Close implements [place.Shortcut].
func (s *shortcut) Close() {
	if s.task != nil {
		s.task.run = s.runner
		s.task.flags &^= flagShortcut
		*s = shortcut{}
	}
}

// resume continues a body by its shortcut, and reports whether the body awaits again.
func (l *Local) resume(t *task) (suspended bool) {
	s := t.run.(*shortcut)
	t.flags &^= flagReady
	l.current = t
	suspended, _ = s.resume()
	return
}
