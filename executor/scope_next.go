// SPDX-License-Identifier: Apache-2.0

package executor

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
