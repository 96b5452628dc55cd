// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"slices"
	"strings"

	"github.com/pillion-dev/pillion/executor/imports"
	"github.com/pillion-dev/pillion/tests/module/play"
)

func (s *stage) call(name string) *call {
	c := s.calls[name]
	if c == nil {
		s.Broken("no call %q", name)
	}
	return c
}

// flow gives what has the flows of a call, or of a told one of Go's, or nil.
func (s *stage) flow(name string) *call {
	if in := s.inbound[name]; in != nil {
		if in.flow == nil {
			in.flow = &call{host: s.host, over: in.state == answered}
		}
		return in.flow
	}
	return s.call(name)
}

// deed does VERB OBJECT ARGUMENT... and gives the results.
func (s *stage) deed(words []string) (results []string) {
	if words[0] == "elsewhere" {
		done := make(chan []string)
		go func() { done <- s.deed(words[1:]) }()
		return <-done
	}
	if len(words) < 2 {
		s.Broken("half a deed")
	}
	verb, object, arguments := words[0], words[1], append(slices.Clone(words[2:]), "", "")
	if verb == "send" {
		for _, w := range words[2:] {
			s.mu.Lock()
			result := "finished"
			if c := s.flow(object); c != nil {
				result = s.send(c, text(w))
			}
			s.unlock()
			if len(results) == 0 || results[len(results)-1] != result {
				results = append(results, result)
			}
		}
		return results
	}
	if verb == "submit" {
		if arguments[0] == "for" {
			s.call(object).parent = s.inbound[text(arguments[1])]
		}
		return []string{s.submit(s.call(object))}
	}
	if verb == "wake" {
		play.Wake(s.number, object)
		return []string{"ok"}
	}
	s.mu.Lock()
	result, after := s.verb(verb, object, arguments)
	s.unlock()
	if after != nil {
		after()
	}
	return []string{result}
}

// verb holds the lock, and after doesn't.
func (s *stage) verb(verb, object string, arguments []string) (result string, after func()) {
	if at, ok := strings.CutPrefix(verb, "deadline:"); ok {
		c := s.call(object)
		if c.done {
			return "finished", nil
		}
		c.deadline = s.Number(at)
		return "ok", func() { s.runner.expire(c, c.deadline, s.now) }
	}
	switch verb {
	case "credit":
		c := s.flow(object)
		if c == nil {
			return "finished", nil
		}
		return s.credit(c, int(s.Number(arguments[0]))), nil
	case "finish":
		c := s.flow(object)
		if c == nil {
			return "finished", nil
		}
		return s.finish(c), nil
	case "cancel":
		c := s.call(object)
		result, stop := s.cancel(c)
		if stop {
			after = func() { s.runner.cancel(c) }
		}
		return result, after
	case "answer", "accept":
		in := s.inbound[text(object)]
		if in == nil {
			return "finished", nil
		}
		if verb == "accept" {
			credit := 0
			if arguments[0] != "" {
				credit = int(s.Number(arguments[0]))
			}
			return s.accept(in, credit), nil
		}
		payload, err := arguments[0], error(nil)
		switch {
		case payload == "!cancelled":
			payload, err = "", context.Canceled
		case strings.HasPrefix(payload, "!failed:"):
			err = &imports.Error{Code: 5, Message: payload[len("!failed:"):]}
		}
		return s.answer(in, text(payload), err), nil
	case "provide":
		window := 1024
		if arguments[0] == "window" {
			window = int(s.Number(arguments[1]))
		}
		return s.provide(object, window), nil
	case "withdraw":
		return s.withdraw(s.provider(object)), nil
	case "close":
		s.close(object == "cancel")
		if object == "drain" {
			return "ok", nil
		}
		var stopped []*call
		for _, c := range s.calls {
			if c.submitted {
				if _, stop := s.cancel(c); stop {
					stopped = append(stopped, c)
				}
			}
		}
		return "ok", func() {
			for _, c := range stopped {
				s.runner.cancel(c)
			}
		}
	}
	s.Broken("unknown verb %q", verb)
	return "", nil
}
