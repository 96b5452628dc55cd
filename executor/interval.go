// SPDX-License-Identifier: Apache-2.0

package executor

import "time"

// Missed says what an [Interval] does when a tick was taken so late that further
// ones are due.
type Missed int

const (
	Burst Missed = iota // they come at once, one after the other
	Delay               // they don't come; the period begins anew with the late tick
	Skip                // they don't come; the next one comes when it would have come anyway
)

// Interval ticks once a period, from one period after its first poll on. It
// belongs to one task and holds no more than one timer.
//
//	beat := executor.NewInterval(time.Second, executor.Skip)
//	for {
//		missed, err := coro.Await(co, beat.Tick())
//		...
//	}
type Interval struct {
	period int64
	missed Missed
	timer  Timer
	next   int64 // 0 before the first poll
}

// NewInterval makes an interval. It panics if period isn't positive.
func NewInterval(period time.Duration, missed Missed) *Interval {
	if period <= 0 {
		panic("executor: NewInterval with a period that isn't positive")
	}
	return &Interval{period: int64(period), missed: missed}
}

// Tick is ready at the next tick, and says how many further ticks were due by then:
// with [Burst] these are yet to come, else they are lost. Dropping it loses
// nothing.
func (i *Interval) Tick() Future[int] { return i }

// Reset makes the next poll the first one.
func (i *Interval) Reset() {
	i.Drop()
	i.next = 0
}

// Poll implements [Future].
func (i *Interval) Poll(cx *Context) (missed int, ready bool, err error) {
	now := cx.Now()
	if i.next == 0 {
		i.next = after(now, i.period)
	}
	if now < i.next {
		if i.timer.at != i.next { // while it is armed, other workers of a pool read it
			i.timer.at = i.next
		}
		_, ready, err = i.timer.Poll(cx)
		return 0, ready, err
	}
	i.timer.Drop()
	late := (now - i.next) / i.period
	switch i.missed {
	case Burst:
		i.next = after(i.next, i.period)
	case Skip:
		i.next = after(i.next+late*i.period, i.period)
	default:
		i.next = after(now, i.period)
	}
	return int(late), true, nil
}

// Drop implements [Dropper]: it takes the timer back. The time goes on.
func (i *Interval) Drop() { i.timer.Drop() }

// after adds up to [Never].
func after(at, d int64) int64 {
	if d < Never-at {
		return at + d
	}
	return Never
}
