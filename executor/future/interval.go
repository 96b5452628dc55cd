// SPDX-License-Identifier: Apache-2.0

package future

import (
	"time"

	"github.com/pillion-dev/pillion/executor"
)

// Missed says what an [Interval] does when a task takes a tick so late that further
// ticks are due.
type Missed int

const (
	MissedBurst Missed = iota // they come at once, one after the other
	MissedDelay               // they don't come; the period begins anew with the late tick
	MissedSkip                // they don't come; the next tick comes at its usual time
)

// Interval ticks once a period, from one period after its first poll on. It
// belongs to one task and holds no more than one timer.
//
//	beat := future.NewInterval(time.Second, future.MissedSkip)
//	for {
//		missed, err := coro.Await(co, beat.Tick())
//		...
//	}
type Interval struct {
	period int64
	missed Missed
	timer  executor.Timer
	armed  int64 // the time of timer; other workers of a pool read it while it is armed
	next   int64 // 0 before the first poll
}

// NewInterval makes an interval. It panics if period isn't positive.
func NewInterval(period time.Duration, missed Missed) *Interval {
	if period <= 0 {
		panic("executor: NewInterval with a period that isn't positive")
	}
	return &Interval{period: int64(period), missed: missed}
}

// Tick is ready at the next tick. Its value is the number of further ticks that were
// due by then: with [MissedBurst] these still come, else they are lost. A drop loses no
// tick.
func (i *Interval) Tick() executor.Future[int] { return i }

// Reset makes the next poll the first one.
func (i *Interval) Reset() {
	i.Drop()
	i.next = 0
}

// Poll implements [executor.Future].
func (i *Interval) Poll(cx *executor.Context) (missed int, ready bool, err error) {
	now := cx.Now()
	if i.next == 0 {
		i.next = after(now, i.period)
	}
	if now < i.next {
		if i.armed != i.next {
			i.armed = i.next
			i.timer.ResetAt(i.next)
		}
		_, ready, err = i.timer.Poll(cx)
		return 0, ready, err
	}
	i.timer.Drop()
	late := (now - i.next) / i.period
	switch i.missed {
	case MissedBurst:
		i.next = after(i.next, i.period)
	case MissedSkip:
		i.next = after(i.next+late*i.period, i.period)
	default:
		i.next = after(now, i.period)
	}
	return int(late), true, nil
}

// Drop implements [executor.Dropper]: it disarms the timer. The interval's time goes
// on.
func (i *Interval) Drop() { i.timer.Drop() }

// after adds up to [executor.Never].
func after(at, d int64) int64 { return int64(min(uint64(at)+uint64(d), executor.Never)) }
