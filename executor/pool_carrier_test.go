// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"testing"

	"github.com/pillion-dev/pillion/executor/internal/cell"
)

// lent gives a pool on an inbox that others push to as well, and its one worker.
func lent(t *testing.T) (*Pool, *Local, *cell.Inbox) {
	t.Helper()
	in := new(cell.Inbox)
	p := NewPool(PoolConfig{Inbox: in})
	l := New(Config{})
	if err := p.Join(l); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		l.Free()
		if err := p.Free(); err != nil {
			t.Error(err)
		}
	})
	return p, l, in
}

func TestPoolTakesWhatOthersPushToItsInbox(t *testing.T) {
	p, l, in := lent(t)
	polls := 0
	var waker Waker
	task, err := Spawn(p, fn[int](func(cx *Context) (int, bool, error) {
		waker = cx.Waker()
		polls++
		return polls, polls == 2, nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	l.Poll(Budget{})
	// As C does it: the mark, the push, and the host is told.
	if r, _ := cell.Mark(uint64(waker), cell.Wake); r != cell.Woken {
		t.Fatalf("mark: %v", r)
	}
	in.Push(uint32(waker>>32) & cell.SlotMask)
	l.Poll(Budget{})
	if n, err := task.Result(); n != 2 || err != nil || !task.Done() {
		t.Errorf("got %d, %v after %d polls", n, err, polls)
	}
}

func TestExpireOfAPoolsTask(t *testing.T) {
	p, l, _ := lent(t)
	for _, polled := range []bool{false, true} {
		task, err := Spawn(p, fn[int](func(*Context) (int, bool, error) { return 0, false, nil }))
		if err != nil {
			t.Fatal(err)
		}
		want := CancelledBeforeStart
		if polled {
			l.Poll(Budget{})
			want = CancelledRunning
		}
		if r := l.Carrier().Expire(task.Handle()); r != Accepted {
			t.Errorf("expire: %v", r)
		}
		if r := task.Cancel(); r != Coalesced {
			t.Errorf("cancel after it: %v", r)
		}
		l.Poll(Budget{})
		if task.Err() != ErrTimedOut || task.Outcome() != want {
			t.Errorf("polled %v: %v, %v", polled, task.Err(), task.Outcome())
		}
	}
}
