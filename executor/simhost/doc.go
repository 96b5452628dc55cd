// SPDX-License-Identifier: Apache-2.0

// Package simhost is a host for tests: its executors have a clock that is only a
// number, and a seed decides whatever a real loop leaves to chance. A run with the
// same seed is the same run.
//
//	func TestPair(t *testing.T) {
//		simhost.Run(t, func(s *simhost.Sim) {
//			a, b := s.Local("a", executor.Config{}), s.Local("b", executor.Config{})
//			simhost.Spawn(s, a, "ping", ping)
//			simhost.Spawn(s, b, "pong", pong)
//		})
//	}
//
// What the seed decides: which executor has the next turn, with which budget; how
// late a host comes after a poke or a deadline; when a wake from another thread
// arrives, between two turns or between two polls; now and then a turn that nobody
// asked for. When nobody has anything to do, the clock jumps to the next moment at
// which somebody has. If there is none, and tasks are live, that is a deadlock, and
// the run fails with the names of those tasks.
//
// [Run] tries many seeds, and prints the one that fails. With PILLION_SEED set to
// it, Run does that run only; PILLION_SEEDS says how many seeds are tried.
//
// # Notes
//
// All runs on the goroutine that calls [Run]. What goroutines do beside it, as for an
// offload, isn't simulated and can't be replayed; neither are executor.Pool.Start
// and the order of a Go map.
package simhost
