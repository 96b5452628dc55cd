// SPDX-License-Identifier: Apache-2.0

package offload

import (
	"math"
	"runtime"
	"sync"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/internal/queue"
)

// Job is something for a worker to run. Run must contain its own panics: a panic that
// leaves it ends the process, as in any goroutine. It may block and may call
// runtime.Goexit, which costs the pool nothing.
type Job interface {
	Run()
}

// Moot is for jobs that may become pointless while they wait for a worker. A queue
// that is about to grow first forgets the jobs whose Moot reports true. The pool calls
// it under its lock.
type Moot interface {
	Moot() bool
}

// Pool runs jobs in goroutines that it starts as they are needed and uses again.
// All methods are for any goroutine, also for a job, except that a job must not
// call Close.
//
// # Notes
//
// A job waits behind jobs that block only at the limit, and then in its order. At the
// limit a job that waits for another job of its pool may wait for ever. Yet many short
// jobs don't make many workers. At most one worker at a time is on its way to its
// first job, and it calls the next worker only when it has got there and sees more
// jobs. So the pool grows at the pace at which the scheduler runs new goroutines.
type Pool struct {
	spare  int // idle workers over this number end
	source Source

	mu      sync.Mutex
	limit   int
	seats   int // for workers that aren't idle: the limit, and one for each job in [Away]
	jobs    queue.Queue[Job]
	idle    []*worker
	workers int
	away    int // jobs in Away
	most    int // as many of those have a seat of their own
	// searching: a worker was started or woken and hasn't looked at the queue yet.
	// While there are jobs, it is set or no seat is free.
	searching bool
	attended  bool // the latest argument of Attend
	closed    bool
	ended     *sync.Cond
}

// Source is where jobs wait for a pool until they are submitted. Any worker calls its
// methods.
type Source interface {
	// Fetch submits the jobs that wait, or makes another thread do so. A worker that
	// finds no job calls it.
	Fetch()
	// Attend tells the source whether as many workers are busy as the limit allows.
	// Meanwhile a job may wait until one of them fetches it. The pool calls it under its
	// lock.
	Attend(all bool)
}

type worker struct {
	wake chan struct{} // one wake each time it is taken from idle
}

// manyWorkers is the number of workers that may leave their threads behind.
const manyWorkers = 256

// NewPool makes a pool that runs at most limit jobs at a time, or any number if limit
// is 0. It starts no worker. Jobs in [Away] don't count.
func NewPool(limit int) *Pool {
	p := &Pool{limit: limit, spare: 4 * runtime.GOMAXPROCS(0)}
	p.countSeats()
	p.ended = sync.NewCond(&p.mu)
	return p
}

// NewPoolFrom is [NewPool] with a source that the workers draw upon.
func NewPoolFrom(source Source, limit int) *Pool {
	p := NewPool(limit)
	p.source = source
	return p
}

// Submit queues jobs, in their order, or none of them: it fails with
// [executor.ErrClosed] after Close. It doesn't wait, and keeps no reference to the
// slice.
func (p *Pool) Submit(jobs ...Job) error {
	if len(jobs) == 0 {
		return nil
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return executor.ErrClosed
	}
	if p.jobs.Grows(len(jobs)) {
		p.jobs.DeleteFunc(isMoot)
	}
	p.jobs.Push(jobs...)
	call := p.call()
	p.mu.Unlock()
	p.answer(call)
	return nil
}

func isMoot(job Job) bool {
	m, ok := job.(Moot)
	return ok && m.Moot()
}

// call chooses, under the lock, the worker that will look at the queue; answer wakes
// it outside of the lock. For a nil worker, answer starts one.
func (p *Pool) call() (w *worker) {
	if p.searching || p.jobs.Len() == 0 || p.seated() >= p.seats {
		return busy
	}
	if n := len(p.idle); n > 0 {
		w = p.idle[n-1]
		p.idle = p.idle[:n-1]
	} else {
		p.workers++
	}
	p.searching = true
	return w
}

// busy is the answer of call if no worker needs a wake.
var busy = new(worker)

func (p *Pool) answer(w *worker) {
	switch w {
	case busy:
	case nil:
		go p.work(new(worker), true)
	default:
		w.wake <- struct{}{}
	}
}

// work is a worker's life.
func (p *Pool) work(w *worker, searching bool) {
	over := false
	defer func() {
		if !over { // a job called Goexit: another takes this one's place
			go p.work(new(worker), false)
		}
	}()
	for {
		job := p.take(w, searching)
		if job == nil {
			over = true
			return
		}
		searching = false
		job.Run()
	}
}

// seated counts the workers that have a job, or are on their way to one. When a job
// comes back from Away, its extra seat goes at once, so there may be more than seats.
// Each worker that is too many rests after its job.
func (p *Pool) seated() int { return p.workers - len(p.idle) }

func (p *Pool) countSeats() {
	p.seats = math.MaxInt
	if p.limit > 0 {
		p.seats = p.limit + min(p.away, p.most)
	}
}

// take waits for a job. It gives nil when the worker has to end.
func (p *Pool) take(w *worker, searching bool) Job {
	for {
		p.mu.Lock()
		if searching {
			p.searching = false
		}
		var job [1]Job
		if p.seated() <= p.seats && p.jobs.Pop(job[:]) > 0 {
			call := p.call()
			if p.seated() >= p.seats {
				p.attend(true)
			}
			p.mu.Unlock()
			if call != busy {
				p.answer(call)
			}
			return job[0]
		}
		p.attend(false)
		if p.closed || len(p.idle) >= p.spare || p.workers > p.seats {
			p.workers--
			if p.workers == 0 {
				p.ended.Broadcast()
			}
			many := p.workers >= manyWorkers
			p.mu.Unlock()
			p.fetch()
			if many { // Go ends a thread only with a goroutine that is locked to it
				runtime.LockOSThread()
			}
			return nil
		}
		if w.wake == nil {
			w.wake = make(chan struct{}, 1)
		}
		p.idle = append(p.idle, w)
		p.mu.Unlock()
		p.fetch()
		_, searching = <-w.wake
	}
}

// attend and fetch come in this order when a worker rests. So the worker finds a job
// that was left to it, and no later job is left to it.
func (p *Pool) attend(all bool) {
	if p.attended != all && p.source != nil {
		p.attended = all
		p.source.Attend(all)
	}
}

func (p *Pool) fetch() {
	if p.source != nil {
		p.source.Fetch()
	}
}

// SetLimit changes the limit. More workers than that end after their jobs.
func (p *Pool) SetLimit(limit int) {
	p.mu.Lock()
	p.limit = limit
	p.unlockWithRoom()
}

// unlockWithRoom unlocks the pool, and finds jobs for a seat that may have been added.
func (p *Pool) unlockWithRoom() {
	p.countSeats()
	p.attend(false)
	call := p.call()
	p.mu.Unlock()
	p.answer(call)
	p.fetch()
}

// Limit is the greatest number of jobs that run at a time, or 0.
func (p *Pool) Limit() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.limit
}

// Workers counts the workers: busy, idle, and those whose jobs are in [Away].
func (p *Pool) Workers() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.workers
}

// Close takes no more jobs, and returns once all queued jobs have run and every worker
// has ended.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, w := range p.idle {
		close(w.wake)
	}
	p.idle = nil
	for p.workers > 0 {
		p.ended.Wait()
	}
}
