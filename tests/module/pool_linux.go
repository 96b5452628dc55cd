// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"encoding/binary"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/export"
	"github.com/pillion-dev/pillion/executor/future"
)

// pooled is shared by the futures that run on pools.
var pooled struct {
	sync.Mutex
	threads map[int]bool     // that have polled test.pool_hop
	wakers  []executor.Waker // of the calls of test.pool_wait
	gate    atomic.Bool      // test.pool_spin goes on until it is open
}

func init() {
	pooled.threads = map[int]bool{}
	export.Async("test.pool_hop", func(threads string) executor.Future[string] {
		n, err := strconv.Atoi(threads)
		return future.Func[string](func(cx *executor.Context) (string, bool, error) {
			pooled.Lock()
			defer pooled.Unlock()
			pooled.threads[syscall.Gettid()] = true
			if len(pooled.threads) >= n || err != nil {
				return threads, true, err
			}
			cx.WakeSelf()
			return "", false, nil
		})
	}, export.Doc("Goes on until so many threads have polled its calls."))
	export.Async("test.pool_spin", func([]byte) executor.Future[string] {
		return future.Func[string](func(cx *executor.Context) (string, bool, error) {
			cx.WakeSelf()
			return "", pooled.gate.Load(), nil
		})
	}, export.Doc("Goes on until test.pool_gate has been called with 1."))
	export.Func("test.pool_gate", func(_ context.Context, open string) (string, error) {
		pooled.Lock()
		defer pooled.Unlock()
		pooled.threads, pooled.wakers = map[int]bool{}, nil
		pooled.gate.Store(open == "1")
		return "", nil
	}, export.Doc("Forgets threads and wakers, too."))
	export.Async("test.pool_wait", func(times string) executor.Future[string] {
		n, err := strconv.Atoi(times)
		return &waits{left: n, err: err}
	}, export.Doc("Is ready in so many polls after its first; tells how many those were."))
	export.Async("test.pool_ring", func(hops string) executor.Future[string] {
		n, err := strconv.Atoi(hops)
		return &ring{hops: n, err: err}
	}, export.Doc("A thousand tasks that wake each other in a ring, so often."))
	export.Func("test.pool_wakers", func(context.Context, []byte) (b []byte, err error) {
		pooled.Lock()
		defer pooled.Unlock()
		for _, w := range pooled.wakers {
			b = binary.NativeEndian.AppendUint64(b, uint64(w))
		}
		return b, nil
	}, export.Doc("Gives the wakers of the calls of test.pool_wait, 8 bytes each."))
}

type waits struct {
	left, polls int
	err         error
	inside      atomic.Bool
}

func (w *waits) Poll(cx *executor.Context) (string, bool, error) {
	if w.err != nil || w.inside.Swap(true) {
		panic("two polls at once, or no number")
	}
	defer w.inside.Store(false)
	if w.polls == 0 {
		pooled.Lock()
		pooled.wakers = append(pooled.wakers, cx.Waker())
		pooled.Unlock()
		waiting.Add(1)
	}
	w.polls++
	if w.polls <= w.left {
		return "", false, nil
	}
	return strconv.Itoa(w.polls), true, nil
}

func (w *waits) Drop() {
	if w.polls > 0 {
		waiting.Add(-1)
	}
}

const links = 1000

// ring has tasks of one pool, each of which wakes the next. In the last round they end.
type ring struct {
	links [links]link
	begun atomic.Int32
	hops  int // for the last woken task
	err   error
	done  executor.Waker
}

type link struct {
	ring  *ring
	waker executor.Waker
	next  *link
}

func (r *ring) Poll(cx *executor.Context) (string, bool, error) {
	if r.done != 0 || r.err != nil || r.hops < links {
		return "", true, r.err
	}
	r.done = cx.Waker()
	for i := range r.links {
		r.links[i] = link{ring: r, next: &r.links[(i+1)%links]}
	}
	for i := range r.links {
		if _, err := executor.Spawn(cx, &r.links[i]); err != nil {
			return "", true, err
		}
	}
	return "", false, nil
}

func (k *link) Poll(cx *executor.Context) (struct{}, bool, error) {
	r := k.ring
	if k.waker == 0 {
		k.waker = cx.Waker()
		if r.begun.Add(1) == links {
			cx.Local().WakeLocal(r.links[0].waker)
		}
		return struct{}{}, false, nil
	}
	r.hops--
	next, last := k.next.waker, r.hops < links
	if r.hops == 0 {
		next = r.done
	}
	cx.Local().WakeLocal(next)
	return struct{}{}, last, nil
}
