// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"hash/crc32"
	"math/rand/v2"
	"testing"

	"github.com/pillion-dev/pillion/executor/internal/place"
	"github.com/pillion-dev/pillion/executor/internal/test"
)

// randomPool steps a pool through a random program, in one goroutine, as its hosts
// would: a worker has a turn only if it was poked, has said that there is more, or
// its deadline has come. So a poke that is missing leaves a task unpolled.
type randomPool struct {
	t       *testing.T
	random  *rand.Rand
	pool    *Pool
	now     int64
	workers []*randomWorker
	futures []*randomFuture
}

type randomWorker struct {
	*Local
	due      bool
	deadline int64
	joined   bool
}

func (w *randomWorker) Wake() error {
	w.due = true
	return nil
}

type randomFuture struct {
	p     *randomPool
	task  *Task[int]
	timer *Timer
	waker Waker
	owed  int // a wake that no poll has answered yet
	drops int
	asked bool // to end
	bound bool // begun something that only its worker can go on with
	at    *Local
}

func (f *randomFuture) Poll(cx *Context) (int, bool, error) {
	p := f.p
	f.owed, f.waker = 0, cx.Waker()
	if f.bound && f.at != cx.Local() {
		p.t.Fatal("a bound task was polled elsewhere")
	}
	switch p.random.IntN(12) {
	case 0:
		return 1, true, nil
	case 1:
		cx.WakeSelf()
		f.owed = 1
	case 2, 3:
		p.wakeSome(cx.Local())
	case 4:
		f.timer = sleepUntil(p.now + int64(p.random.IntN(20)))
	case 5:
		p.spawn(cx)
	case 6:
		p.spawn(p.pool)
	case 7:
		place.Of(cx.Local()).Bind()
		f.bound, f.at = true, cx.Local()
	}
	if f.timer != nil {
		if _, ready, _ := f.timer.Poll(cx); ready {
			f.timer = nil
		}
	}
	return 0, false, nil
}

func (f *randomFuture) Drop() {
	f.drops++
	if f.timer != nil {
		f.timer.Drop()
	}
}

func (p *randomPool) spawn(e Executor) {
	if len(p.futures) == 200 {
		return
	}
	f := &randomFuture{p: p, owed: 1}
	f.task = mustSpawn[int](p.t, e, f)
	p.futures = append(p.futures, f)
}

func (p *randomPool) wakeSome(l *Local) {
	if len(p.futures) == 0 {
		return
	}
	f := p.futures[p.random.IntN(len(p.futures))]
	if f.waker == 0 {
		return
	}
	if !f.task.Done() {
		f.owed = 1
	}
	if l != nil && p.random.IntN(2) == 0 {
		l.WakeLocal(f.waker)
	} else {
		f.waker.Wake()
	}
}

func (p *randomPool) turn(w *randomWorker) bool {
	if !w.due && w.deadline > p.now {
		return false
	}
	w.due = false
	progress, err := w.Poll(Budget{MaxPolls: p.random.IntN(6)})
	if err != nil {
		p.t.Fatal(err)
	}
	w.due = w.due || progress.More
	w.deadline = progress.Deadline
	return true
}

func (p *randomPool) step() {
	w := p.workers[p.random.IntN(len(p.workers))]
	switch p.random.IntN(16) {
	case 0:
		if w.joined && len(p.joined()) > 1 && !p.isHome(w) {
			test.Equal(p.t, "leave", p.pool.Leave(w.Local), nil)
			w.joined = false
		}
	case 1:
		if !w.joined {
			test.Equal(p.t, "join", p.pool.Join(w.Local), nil)
			w.joined = true
		}
	case 7:
		if p.random.IntN(4) == 0 {
			p.replace(w)
		}
	case 2:
		p.now += int64(p.random.IntN(5))
	case 3:
		p.spawn(p.pool)
	case 4, 5:
		p.wakeSome(nil)
	case 6:
		if n := len(p.futures); n > 0 {
			f := p.futures[p.random.IntN(n)]
			f.task.Cancel()
			f.asked = true
		}
	default:
		p.turn(w)
	}
}

// replace frees a worker to which no task is bound, and lets another join if none would
// be left.
func (p *randomPool) replace(w *randomWorker) {
	test.Equal(p.t, "free a worker", w.Local.Free(), nil)
	for _, f := range p.futures {
		if f.at == w.Local {
			f.bound = false
		}
	}
	w.Local, w.due, w.deadline, w.joined = p.newLocal(w), false, Never, false
	if len(p.joined()) == 0 {
		test.Equal(p.t, "join", p.pool.Join(w.Local), nil)
		w.joined = true
	}
}

func (p *randomPool) newLocal(w *randomWorker) *Local {
	return New(Config{Host: w, Clock: func() int64 { return p.now }})
}

func (p *randomPool) joined() (all []*randomWorker) {
	for _, w := range p.workers {
		if w.joined {
			all = append(all, w)
		}
	}
	return all
}

// isHome says whether a live task is bound to w, as the coroutines' extension would.
func (p *randomPool) isHome(w *randomWorker) bool {
	for _, f := range p.futures {
		if f.bound && f.at == w.Local && !f.task.Done() {
			return true
		}
	}
	return false
}

// settle lets the hosts run until none of them has a reason to, and then nothing is
// owed to any task.
func (p *randomPool) settle() {
	for again := true; again; {
		again = false
		for _, w := range p.workers {
			again = p.turn(w) || again
		}
	}
	for i, f := range p.futures {
		if !f.task.Done() && f.owed > 0 {
			p.t.Fatalf("task %d was woken and not polled", i)
		}
		if f.asked && !f.task.Done() {
			p.t.Fatalf("task %d was cancelled and is there", i)
		}
		if f.timer != nil && !f.task.Done() && f.timer.node.At <= p.now {
			p.t.Fatalf("the timer of task %d is due", i)
		}
	}
}

func newRandomPool(t *testing.T, random *rand.Rand, seed uint64) *randomPool {
	p := &randomPool{t: t, random: random, pool: NewPool(PoolConfig{Seed: seed}), now: 1}
	for range 3 {
		w := &randomWorker{deadline: Never}
		w.Local = p.newLocal(w)
		p.workers = append(p.workers, w)
	}
	test.Equal(t, "join", p.pool.Join(p.workers[0].Local), nil)
	p.workers[0].joined = true
	return p
}

// end settles, frees all, and counts.
func (p *randomPool) end() {
	p.settle()
	for _, w := range p.workers {
		test.Equal(p.t, "free a worker", w.Local.Free(), nil)
	}
	test.Equal(p.t, "free", p.pool.Free(), nil)
	for _, f := range p.futures {
		test.Equal(p.t, "drops", f.drops, 1)
	}
}

func TestPoolRunsRandomPrograms(t *testing.T) {
	for seed := range uint64(300) {
		p := newRandomPool(t, rand.New(rand.NewPCG(seed, 0)), seed)
		for range 300 {
			p.step()
			if p.random.IntN(30) == 0 {
				p.settle()
			}
		}
		p.end()
		if t.Failed() {
			t.Fatal("seed", seed)
		}
	}
}

// choices makes random numbers of an input's bytes, and others that follow from them
// after the last.
type choices struct {
	bytes []byte
	rest  *rand.PCG
}

func (c *choices) Uint64() uint64 {
	if len(c.bytes) == 0 {
		return c.rest.Uint64()
	}
	b := uint64(c.bytes[0])
	c.bytes = c.bytes[1:]
	return b << 56
}

// FuzzPool is the above with the fuzzer's choices.
func FuzzPool(f *testing.F) {
	f.Fuzz(func(t *testing.T, program []byte) {
		c := &choices{program, rand.NewPCG(uint64(crc32.ChecksumIEEE(program)), 2)}
		p := newRandomPool(t, rand.New(c), uint64(len(program)))
		for n := 0; n < 100 || len(c.bytes) > 0; n++ {
			p.step()
			if p.random.IntN(30) == 0 {
				p.settle()
			}
		}
		p.end()
	})
}
