// SPDX-License-Identifier: Apache-2.0

package offload

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pillion-dev/pillion/executor/internal/test"
)

// shelf is a source, and those who put jobs there. Like C's ring it tells a goroutine
// of a job only if no worker attends.
type shelf struct {
	pool     *Pool
	mu       sync.Mutex // held by the one that takes
	jobs     chan Job
	attended atomic.Bool
	told     chan struct{}
}

func newShelf(t *testing.T, limit int) *shelf {
	s := &shelf{jobs: make(chan Job, 1000), told: make(chan struct{}, 1)}
	s.pool = NewPoolFrom(s, limit)
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-s.told:
				s.mu.Lock()
				s.take()
				s.mu.Unlock()
			case <-end: // told stays open: a worker that has ended may still tell
				return
			}
		}
	}()
	t.Cleanup(func() {
		close(end)
		<-ended
		s.pool.Close()
	})
	return s
}

func (s *shelf) put(f func()) {
	s.jobs <- jobFunc(f)
	if !s.attended.Load() {
		s.tell()
	}
}

func (s *shelf) tell() {
	select {
	case s.told <- struct{}{}:
	default:
	}
}

func (s *shelf) take() {
	for {
		select {
		case j := <-s.jobs:
			s.pool.Submit(j)
		default:
			return
		}
	}
}

func (s *shelf) Fetch() {
	if len(s.jobs) == 0 {
		return
	}
	if !s.mu.TryLock() {
		s.tell()
		return
	}
	s.take()
	s.mu.Unlock()
}

func (s *shelf) Attend(all bool) { s.attended.Store(all) }

func TestWorkersAttendWhileAllAreAtWork(t *testing.T) {
	s := newShelf(t, 2)
	begun, end := make(chan struct{}), make(chan struct{})
	ended := make(chan struct{})
	block := func() { begun <- struct{}{}; <-end; ended <- struct{}{} }
	s.put(block)
	<-begun
	test.Equal(t, "attended by one of two", s.attended.Load(), false)
	s.put(block)
	<-begun
	for !s.attended.Load() { // the second is told of before it is said
		runtime.Gosched()
	}
	s.put(block) // no worker is told
	test.Equal(t, "told", len(s.told), 0)
	end <- struct{}{}
	<-ended
	<-begun // by the one that fetched it
	end <- struct{}{}
	end <- struct{}{}
	<-ended
	<-ended
	for s.attended.Load() {
		runtime.Gosched()
	}
}

func TestMoreWorkersThanAttended(t *testing.T) {
	s := newShelf(t, 1)
	begun, end := make(chan struct{}), make(chan struct{})
	s.put(func() { begun <- struct{}{}; <-end })
	<-begun
	for !s.attended.Load() {
		runtime.Gosched()
	}
	s.put(func() { end <- struct{}{} }) // ends the first, if there is a worker
	s.pool.SetLimit(2)
	test.Equal(t, "jobs left", len(s.jobs), 0)
}

// Each second job waits for the next one.
func TestHammerSource(t *testing.T) {
	for _, limit := range []int{1, 2, 3} {
		s := newShelf(t, limit)
		var done sync.WaitGroup
		for range 3 {
			done.Go(func() {
				for i := range 3000 {
					next := make(chan struct{})
					done.Add(2)
					if limit > 1 && i%2 == 0 {
						// One job at most of each goroutine waits: there are three.
						s.put(func() { close(next); done.Done() })
						s.put(func() { <-next; done.Done() })
					} else {
						s.put(func() { done.Done(); close(next) })
						s.put(func() {
							done.Done()
							if i%97 == 0 {
								runtime.Goexit()
							}
						})
					}
					if i%10 == 0 {
						<-next
					}
				}
			})
		}
		done.Wait()
	}
}
