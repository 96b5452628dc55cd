// SPDX-License-Identifier: Apache-2.0

// Local replays vectors on the executor in Go:
//
//	go run ./tests/conformance/local FILE...
//
// It prints each case that went differently, and the totals. The exit code is 1
// if one did, and 2 if a vector can't be read.
package main

import (
	"os"
	"slices"
	"strconv"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/tests/conformance/vector"
)

// features are those that this replayer knows. It skips a case that needs another.
var features = []string{"evict", "shield", "deadline", "interval", "scope"}

// stage is the present case, and its executor.
type stage struct {
	vector.At
	name    string
	local   *executor.Local
	config  executor.Config
	now     int64
	pokes   int
	actors  map[string]*actor
	trace   []string
	ends    []string
	failed  bool
	skipped bool
}

// Wake implements [executor.Host].
func (s *stage) Wake() error { s.pokes++; return nil }

func (s *stage) saw(what string) { s.trace = append(s.trace, what) }

func (s *stage) actor(name string) *actor {
	a := s.actors[name]
	if a == nil {
		s.Broken("no task %q", name)
	}
	return a
}

func (s *stage) compare(want, got []string) {
	for _, open := range []string{"more", "poke"} {
		if i := slices.Index(want, open+"?"); i >= 0 {
			want = slices.Delete(slices.Clone(want), i, i+1)
			got = slices.DeleteFunc(got, func(w string) bool { return w == open })
		}
	}
	s.failed = !s.Compare(s.name, want, got) || s.failed
}

// step is VERB OBJECT... = RESULT [poke] [TRACE].
func (s *stage) step(words []string) {
	what, want, found := vector.Cut(words, "=")
	prefix := what[:1]
	if what[0] == "elsewhere" {
		prefix = what[:2]
	}
	if !found || len(what) <= len(prefix) {
		s.Broken("no result")
	}
	var got []string
	last := ""
	for _, object := range what[len(prefix):] {
		result, _ := s.perform(append(slices.Clone(prefix), object))
		if result != last {
			got = append(got, result)
		}
		last = result
	}
	for range s.pokes {
		got = append(got, "poke")
	}
	s.compare(want, append(got, s.trace...))
}

// turn is turn [polls N] [ns N] : TRACE ; ENDS [live N] [more] [deadline N].
func (s *stage) turn(words []string) {
	how, want, found := vector.Cut(words, ":")
	if !found || len(how)%2 != 1 {
		s.Broken("no trace")
	}
	var b executor.Budget
	for i := 1; i < len(how); i += 2 {
		switch n := s.Number(how[i+1]); how[i] {
		case "polls":
			b.MaxPolls = int(n)
		case "ns":
			b.MaxTime = duration(n)
		default:
			s.Broken("no budget: %q", how[i])
		}
	}
	p, err := s.local.Poll(b)
	if err != nil {
		s.Broken("the turn fails: %v", err)
	}
	got := append(append(s.trace, ";"), s.ends...)
	s.ends = nil
	if p.Live > 0 {
		got = append(got, "live", strconv.Itoa(p.Live))
	}
	if p.More {
		got = append(got, "more")
	}
	if p.Deadline != executor.Never {
		got = append(got, "deadline", strconv.FormatInt(p.Deadline, 10))
	}
	s.compare(want, got)
}

func (s *stage) declare(words []string) {
	names, script, found := vector.Cut(words[1:], ":")
	if !found {
		s.Broken("no script")
	}
	script, last, _ := vector.Cut(script, "drop")
	for _, name := range names {
		s.actors[name] = &actor{stage: s, name: name, told: words[0] == "task",
			script: script, last: last}
	}
}

// Take implements [vector.Case].
func (s *stage) Take(at vector.At, words []string) {
	s.At = at
	if s.failed || s.skipped {
		return
	}
	switch words[0] {
	case "needs":
		for _, w := range words[1:] {
			s.skipped = s.skipped || !slices.Contains(features, w)
		}
		return
	case "max_tasks":
		s.config.MaxTasks = int(s.Number(words[1]))
		return
	case "task", "joined", "detached":
		s.declare(words)
		return
	}
	if s.local == nil {
		s.local = executor.New(s.config)
	}
	s.trace, s.pokes = nil, 0
	switch words[0] {
	case "advance":
		s.perform(words)
	case "turn":
		s.turn(words)
	case "free":
		if err := s.local.Free(); err != nil {
			s.Broken("no free: %v", err)
		}
		s.compare(words[2:], s.trace)
	default:
		s.step(words)
	}
}

// End implements [vector.Case].
func (s *stage) End() (failed, skipped bool) {
	if s.local != nil {
		s.local.Free()
	}
	for _, a := range s.actors {
		if a.spawns != a.drops && !s.failed {
			s.compare([]string{"one drop a spawn"}, []string{a.name})
		}
	}
	return s.failed, s.skipped
}

func main() {
	vector.Replay(os.Args[1:], func(at vector.At, name string) vector.Case {
		s := &stage{At: at, name: name, now: 1000, actors: map[string]*actor{}}
		s.config = executor.Config{Host: s, Clock: func() int64 { return s.now }}
		return s
	}).Exit()
}
