// SPDX-License-Identifier: Apache-2.0

package main

import (
	"runtime"
	"sync/atomic"
	"time"
)

// sends does the work of post.c with a Go channel.
func sends(streaming bool) float64 {
	type message struct {
		token   uint64
		payload [24]byte
	}
	const bursts = 1000
	var posted, taken atomic.Uint64
	channel := make(chan message, 1024)
	go func() {
		for {
			for !streaming && posted.Load() == taken.Load() {
				runtime.Gosched()
			}
			m, open := <-channel
			if !open {
				return
			}
			taken.Store(m.token + 1)
		}
	}()
	var token uint64
	var spent time.Duration
	for i := range bursts + 1 {
		start := time.Now()
		for range batch {
			channel <- message{token: token}
			token++
		}
		if i > 0 {
			spent += time.Since(start)
		}
		posted.Store(token)
		for !streaming && taken.Load() < token {
			runtime.Gosched()
		}
	}
	return float64(spent.Nanoseconds()) / (batch * bursts)
}
