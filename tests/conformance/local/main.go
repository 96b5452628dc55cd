// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/pillion-dev/pillion/executor"
)

// features are those that this replayer knows. It skips a case that needs another.
var features = []string{"evict", "shield", "deadline", "interval", "scope"}

// stage is the present case, and its executor.
type stage struct {
	vector
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
		s.broken("no task %q", name)
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
	if !slices.Equal(want, got) {
		s.failed = true
		fmt.Printf("%s:%d: %s\n  want %s\n  got  %s\n", s.file, s.line, s.name,
			strings.Join(want, " "), strings.Join(got, " "))
	}
}

// step is VERB OBJECT... = RESULT [poke] [TRACE].
func (s *stage) step(words []string) {
	what, want, found := cut(words, "=")
	prefix := what[:1]
	if what[0] == "elsewhere" {
		prefix = what[:2]
	}
	if !found || len(what) <= len(prefix) {
		s.broken("no result")
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
	how, want, found := cut(words, ":")
	if !found || len(how)%2 != 1 {
		s.broken("no trace")
	}
	var b executor.Budget
	for i := 1; i < len(how); i += 2 {
		switch n := s.number(how[i+1]); how[i] {
		case "polls":
			b.MaxPolls = int(n)
		case "ns":
			b.MaxTime = duration(n)
		default:
			s.broken("no budget: %q", how[i])
		}
	}
	p, err := s.local.Poll(b)
	if err != nil {
		s.broken("the turn fails: %v", err)
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
	names, script, found := cut(words[1:], ":")
	if !found {
		s.broken("no script")
	}
	script, last, _ := cut(script, "drop")
	for _, name := range names {
		s.actors[name] = &actor{stage: s, name: name, told: words[0] == "task",
			script: script, last: last}
	}
}

func (s *stage) take(words []string) {
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
		s.config.MaxTasks = int(s.number(words[1]))
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
			s.broken("no free: %v", err)
		}
		s.compare(words[2:], s.trace)
	default:
		s.step(words)
	}
}

var passed, failed, skipped int

func (s *stage) end() {
	if s.local != nil {
		s.local.Free()
	}
	for _, a := range s.actors {
		if a.spawns != a.drops && !s.failed {
			s.compare([]string{"one drop a spawn"}, []string{a.name})
		}
	}
	switch {
	case s.skipped:
		skipped++
	case s.failed:
		failed++
	default:
		passed++
	}
}

func replay(file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	var s *stage
	for i, line := range strings.Split(string(text), "\n") {
		at, words := vector{file, i + 1}, words(line)
		switch {
		case len(words) == 0:
		case words[0] == "case":
			if s != nil {
				s.end()
			}
			s = &stage{vector: at, name: words[1], now: 1000, actors: map[string]*actor{}}
			s.config = executor.Config{Host: s, Clock: func() int64 { return s.now }}
		case s == nil:
			at.broken("no case")
		default:
			s.vector = at
			s.take(words)
		}
	}
	if s != nil {
		s.end()
	}
}

func main() {
	for _, file := range os.Args[1:] {
		replay(file)
	}
	fmt.Printf("%d passed, %d failed", passed, failed)
	if skipped > 0 {
		fmt.Printf(", %d skipped", skipped)
	}
	fmt.Println()
	if failed > 0 {
		os.Exit(1)
	}
}
