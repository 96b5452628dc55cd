// SPDX-License-Identifier: Apache-2.0

package executor

// Shortcut lets a [Local] resume a coroutine without [Future.Poll]. Each frame between
// a turn and the switch costs a return that the processor can't foresee. The
// coroutine's future has it.
type Shortcut struct {
	resume func() (suspended, ok bool)
	runner // the task's own runner, which the shortcut replaces
	task   *task
}

// Open makes the next turns of the task in its poll call resume, if f is that task's
// own future. When resume answers that the body isn't suspended any more, the turn
// polls f. Tasks of a [Pool] and tasks with [ContextHooks] have no shortcut. A second
// Open needs a Close before it.
func (s *Shortcut) Open(cx *Context, f any, resume func() (suspended, ok bool)) {
	t := cx.local.current
	if t == nil || t.flags&(flagPooled|flagHooked) != 0 || !t.run.owns(f) {
		return
	}
	s.resume, s.runner, s.task = resume, t.run, t
	t.run = s
	t.flags |= flagShortcut
}

// Close ends the shortcut when the body has ended, before the drop of the future.
func (s *Shortcut) Close() {
	if s.task != nil {
		s.task.run = s.runner
		s.task.flags &^= flagShortcut
		*s = Shortcut{}
	}
}

// resume continues a body by its shortcut, and reports whether the body awaits again.
func (l *Local) resume(t *task) (suspended bool) {
	s := t.run.(*Shortcut)
	t.flags &^= flagReady
	l.current = t
	suspended, _ = s.resume()
	return
}
