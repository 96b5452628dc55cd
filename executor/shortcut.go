// SPDX-License-Identifier: Apache-2.0

package executor

// Shortcut lets a [Local] resume a coroutine without [Future.Poll]: each frame between a
// turn and the switch is a return that the processor can't foresee. It belongs to the
// coroutine's future.
type Shortcut struct {
	resume func() (suspended, ok bool)
	runner // the task's own, in whose place this is
	task   *task
}

// Open makes resume what the next turns of the task that is being polled call, if f is
// that task's own future. When it answers that the body isn't suspended any more, f is
// polled. A task of a [Pool] and one with [ContextHooks] go on without. Open is for once,
// until Close.
func (s *Shortcut) Open(cx *Context, f any, resume func() (suspended, ok bool)) {
	t := cx.local.current
	if t == nil || t.flags&(flagPooled|flagHooked) != 0 || !t.run.owns(f) {
		return
	}
	s.resume, s.runner, s.task = resume, t.run, t
	t.run = s
	t.flags |= flagShortcut
}

// Close ends what Open began, when the body has ended. It comes before the future was
// dropped.
func (s *Shortcut) Close() {
	if s.task != nil {
		s.task.run = s.runner
		s.task.flags &^= flagShortcut
		*s = Shortcut{}
	}
}

// resume goes on with a body by its shortcut. It reports whether the body awaits again.
func (l *Local) resume(t *task) (suspended bool) {
	s := t.run.(*Shortcut)
	t.flags &^= flagReady
	l.current = t
	suspended, _ = s.resume()
	return
}
