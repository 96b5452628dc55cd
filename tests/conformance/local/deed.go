// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"strings"
	"time"

	"github.com/pillion-dev/pillion/executor"
)

func duration(ns int64) time.Duration { return time.Duration(ns) }

var (
	woken = map[executor.Answer]string{executor.Accepted: "woken",
		executor.Coalesced: "coalesced", executor.Stale: "stale", executor.BadHandle: "bad"}
	asked = map[executor.Answer]string{executor.Accepted: "asked",
		executor.Coalesced: "already", executor.Stale: "finished",
		executor.BadHandle: "bad"}
	modes = map[string]executor.CloseMode{"drain": executor.CloseDrain, "cancel": executor.CloseCancel}
)

func failure(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, executor.ErrClosed):
		return "closed"
	case errors.Is(err, executor.ErrAgain):
		return "again"
	case errors.Is(err, executor.ErrReentrant):
		return "reentrant"
	}
	return err.Error()
}

// gone is failure, for a deed that needs a live task.
func gone(err error) string {
	if errors.Is(err, executor.ErrClosed) {
		return "finished"
	}
	return failure(err)
}

// perform does the first deed of words, on this goroutine or, if they say so, on
// another, and gives the words after it.
func (s *stage) perform(words []string) (result string, left []string) {
	elsewhere := words[0] == "elsewhere"
	if elsewhere {
		words = words[1:]
	}
	if len(words) < 2 {
		s.Broken("half a deed: %q", words)
	}
	done := make(chan string, 1)
	deed := func() { done <- s.deed(words[0], words[1], elsewhere) }
	if elsewhere {
		go deed()
	} else {
		deed()
	}
	return <-done, words[2:]
}

func (s *stage) deed(verb, object string, elsewhere bool) string {
	switch verb {
	case "advance":
		s.now += s.Number(object)
		return "ok"
	case "close":
		mode, ok := modes[object]
		if !ok {
			s.Broken("close how: %q", object)
		}
		s.local.Close(mode)
		return "ok"
	case "spawn":
		return failure(s.actor(object).spawn(s.local))
	case "wake":
		if elsewhere {
			return woken[s.actor(object).waker.Wake()]
		}
		return woken[s.local.WakeLocal(s.actor(object).waker)]
	case "cancel":
		if elsewhere {
			return asked[s.actor(object).handle.Cancel()]
		}
		return asked[s.local.CancelLocal(s.actor(object).handle)]
	}
	if verb == "evict" {
		return gone(s.local.Evict(s.actor(object).handle))
	}
	if at, ok := strings.CutPrefix(verb, "deadline:"); ok {
		return gone(s.actor(object).task.SetDeadline(s.Number(at)))
	}
	s.Broken("unknown verb %q", verb)
	return ""
}
