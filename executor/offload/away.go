// SPDX-License-Identifier: Apache-2.0

package offload

import (
	"cmp"
	"context"
	"math"

	"github.com/pillion-dev/pillion/executor/internal/cancelctx"
)

// Context is a [context.Context] that can be cancelled and does nothing else. It
// costs less than context.WithCancel: it makes its channel only at the first Done, and
// a context that is derived from it needs no goroutine. The zero
// Context is ready for use; it must not be copied. All methods are for any
// goroutine.
type Context struct {
	cancelctx.Context

	// Pool, if it is set before the context is shared, is the pool that runs the
	// context's job. [Away] leaves its seat there.
	Pool *Pool

	away int // calls of Away that have not returned; under the pool's lock
}

type seat struct{}

// Value implements [context.Context].
func (c *Context) Value(key any) any {
	if key == (seat{}) {
		return c
	}
	return c.Context.Value(key)
}

// Away runs f, in which a CPU-bound function waits: for a channel, a lock or a system
// call. Meanwhile its pool may run another function in its place. Without Away as many
// functions that wait as there are processors stop all that compute. The context is the
// function's own, or one derived from it. Nothing else changes: Away returns when f
// does, and a cancel only ends the context.
//
//	export.Func("app.thumbnail", func(ctx context.Context, url string) (small []byte, err error) {
//		var picture []byte
//		offload.Away(ctx, func() { picture, err = fetch(ctx, url) })
//		if err != nil {
//			return nil, err
//		}
//		return shrink(picture), nil
//	}, export.CPUBound())
//
// With any other context it only runs f, also with the one of a function that runs in
// [Blocking].
//
// # Notes
//
// Away never waits for a seat when f has returned, since those who sit may wait for the
// function that comes back: for a lock that it holds, say. So more functions than the
// limit may compute for a while. The pool begins no job until fewer do.
//
// As many functions at a time are away as Blocking's limit allows to block. What others
// leave is no seat.
//
// Calls may be nested, and goroutines that the function starts may call Away, too. The
// function is away while at least one of these calls is. A call that outlasts the
// function leaves a seat that is not the function's any more, so the pool runs one job
// more until it returns.
func Away(ctx context.Context, f func()) {
	c, _ := ctx.Value(seat{}).(*Context)
	if c == nil || c.Pool == nil || c.Pool == Blocking() {
		f()
		return
	}
	c.Pool.leave(c)
	defer c.Pool.comeBack(c) // also after a panic or Goexit
	f()
}

func (p *Pool) leave(c *Context) {
	most := cmp.Or(Blocking().Limit(), math.MaxInt)
	p.mu.Lock()
	c.away++
	if c.away > 1 {
		p.mu.Unlock()
		return
	}
	p.away++
	p.most = most
	p.unlockWithRoom()
}

func (p *Pool) comeBack(c *Context) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.away--
	if c.away == 0 {
		p.away--
		p.countSeats()
	}
}
