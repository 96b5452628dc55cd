// SPDX-License-Identifier: Apache-2.0

// Package simhost is a host for tests. The clock of its executors is only a number,
// and a seed decides all that a real loop leaves to chance. The same seed gives the
// same run.
//
//	func TestPair(t *testing.T) {
//		simhost.Run(t, func(s *simhost.Sim) {
//			a, b := s.Local("a", executor.Config{}), s.Local("b", executor.Config{})
//			simhost.Spawn(s, a, "ping", ping)
//			simhost.Spawn(s, b, "pong", pong)
//		})
//	}
//
// The seed decides which executor has the next turn, and with which budget; how late a
// host comes after a poke or a deadline; and when a wake from another thread arrives,
// between two turns or between two polls. Now and then it makes a turn unasked. When
// no host has anything to do, the clock jumps to the next moment at which one has. If
// there is no such moment while tasks are live, that is a deadlock, and the run fails
// with the names of those tasks.
//
// [Run] tries many seeds, and prints the one that fails. With PILLION_SEED set to
// it, Run does that run only; PILLION_SEEDS is the number of seeds to try.
//
// # Notes
//
// All runs on the goroutine that calls [Run]. The seed doesn't decide, and so can't
// replay, the work of other goroutines, as for an offload or executor.Pool.Start, and
// the order of a Go map.
package simhost
