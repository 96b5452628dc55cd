// SPDX-License-Identifier: Apache-2.0

// Calls replays the vectors of calls on a model of what carries them:
//
//	go run ./tests/conformance/calls -kind KIND FILE...
//
// The functions are those of package play, in goroutines, or as tasks of a Local or of a
// Pool. With -wrong RULE the model breaks that rule; -rules prints all of them.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/carrier"
	"github.com/pillion-dev/pillion/executor/export"
	"github.com/pillion-dev/pillion/executor/offload"
	"github.com/pillion-dev/pillion/tests/conformance/vector"
	"github.com/pillion-dev/pillion/tests/module/play"
)

// The environment's PATIENCE is patience in milliseconds.
var (
	kind     = flag.String("kind", "loop", "loop, pool or goroutine")
	wrong    = flag.String("wrong", "", "a rule to break")
	first    = flag.Bool("first", false, "end with the first case that fails")
	patience = 10 * time.Second // how long to wait for what is expected
)

// stage is the present case.
type stage struct {
	vector.At
	*host
	name            string
	number          int // of the case, for package play
	now             int64
	runner          runner
	began           bool
	failed, skipped bool
}

var cases int

func newStage(at vector.At, name string) vector.Case {
	cases++
	s := &stage{At: at, host: newHost(*wrong), name: name, number: cases, now: 1000}
	carrier.SetHost(s.host)
	return s
}

func (s *stage) begin() {
	if s.began {
		return
	}
	s.began = true
	if *kind == "goroutine" {
		s.runner = &goroutines{make(map[*call]*offload.Context), make(map[*call]int64)}
	} else {
		s.runner = newTasks(s, *kind == "pool")
	}
}

// declare takes SHAPE NAME [credit N] [lends N] [sending] [silent] : SCRIPT.
func (s *stage) declare(words []string) {
	words, script, _ := vector.Cut(words, ":")
	c := &call{host: s.host, shape: words[0], name: words[1], script: script, deadline: executor.Never}
	c.sends = c.shape == "collect" || c.shape == "duplex"
	for i := 2; i < len(words); i++ {
		switch words[i] {
		case "credit":
			i++
			c.granted = int(s.Number(words[i]))
		case "lends":
			i++
			c.callbacks = int(s.Number(words[i]))
		case "sending":
			c.sends = true
		case "silent":
			c.sends = false
		default:
			s.Broken("what is %q", words[i])
		}
	}
	s.skipped = s.skipped || *kind != "goroutine" && c.shape != "call" && c.shape != "stream"
	s.calls[c.name] = c
}

func (s *stage) submit(c *call) string {
	reads := c.shape == "collect" || c.shape == "duplex"
	gives := c.shape == "stream" || c.shape == "duplex"
	name := "vector." + c.shape
	if *kind != "goroutine" {
		name = "vector.loop_" + c.shape
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case c.sends && !reads && !s.breaks("sends_to_readers"):
		return "invalid"
	case (gives && c.granted == 0 || reads && !c.sends) && !s.breaks("flows_fit"):
		return "unsupported"
	case s.closing && !s.breaks("closed"):
		return "closed"
	}
	c.begin(c.granted)
	s.mu.Unlock()
	err := s.runner.start(c, export.Lookup(name), s.request(c))
	s.mu.Lock()
	if err != nil {
		return err.Error()
	}
	return "ok"
}

func (s *stage) compare(want, got []string) {
	s.failed = !s.Compare(s.name+" ("+*kind+")", want, got) || s.failed
}

// turn is turn [N] : TRACE ; EVENTS [live N], with N events at most.
func (s *stage) turn(words []string) {
	how, want, found := vector.Cut(words, ":")
	if !found {
		s.Broken("no trace")
	}
	most := 1 << 20
	if len(how) > 1 {
		most = int(s.Number(how[1]))
	}
	traced, events, found := vector.Cut(want, ";")
	if !found {
		s.Broken("no events")
	}
	events, number, _ := vector.Cut(events, "live")
	live := 0
	if len(number) > 0 {
		live = int(s.Number(number[0]))
	}
	var seen, got []string
	for end := time.After(patience); ; {
		s.expired()
		s.runner.turn(s.now)
		seen = append(seen, play.Trace(s.number)...)
		more := s.take(most - len(got))
		got = append(got, more...)
		if len(more) > 0 {
			continue
		}
		if len(got) >= len(events) && len(seen) >= len(traced) && s.live() == live {
			break
		}
		select {
		case <-s.wake:
			continue
		case <-time.After(time.Millisecond): // what a function sees wakes nothing
			continue
		case <-end:
		}
		break
	}
	s.compare(turned(traced, events, live), turned(seen, got, s.live()))
}

// turned orders the events by call: those of several calls have no order.
func turned(trace, events []string, live int) []string {
	events = slices.Clone(events)
	slices.SortStableFunc(events, func(a, b string) int { return strings.Compare(owner(a), owner(b)) })
	words := append(append(slices.Clone(trace), ";"), events...)
	if live > 0 {
		words = append(words, "live", strconv.Itoa(live))
	}
	return words
}

// owner gives the call that an event belongs to.
func owner(event string) string {
	i := strings.IndexAny(event, ">:=~?!/")
	if i < 0 {
		return event
	}
	rest := event[i+1:]
	switch event[i] {
	case '?':
		_, rest, _ = strings.Cut(rest, ":")
		rest, _, _ = strings.Cut(rest, "@")
		return rest
	case '!':
		return rest
	}
	return event[:i]
}

// expired marks calls whose time is up.
func (s *stage) expired() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.calls {
		c.expired = c.expired || c.deadline <= s.now && !c.done && !c.cancelled
		if c.dumped() {
			c.dump()
		}
	}
}

// Take implements [vector.Case].
func (s *stage) Take(at vector.At, words []string) {
	s.At = at
	if s.failed || s.skipped {
		return
	}
	switch words[0] {
	case "on":
		s.skipped = !slices.Contains(words[1:], *kind)
	case "call", "stream", "collect", "duplex":
		s.declare(words)
	case "advance":
		s.now += s.Number(words[1])
	case "turn":
		s.begin()
		s.turn(words)
	case "free":
		s.begin()
		s.free()
		s.compare(words[2:], s.trace(len(words)-2))
	default:
		s.begin()
		what, want, found := vector.Cut(words, "=")
		if !found {
			s.Broken("no result")
		}
		s.compare(want, s.deed(what))
	}
}

func (s *stage) trace(count int) (seen []string) {
	for end := time.Now().Add(patience); len(seen) < count && time.Now().Before(end); time.Sleep(time.Millisecond) {
		seen = append(seen, play.Trace(s.number)...)
	}
	return seen
}

func (s *stage) free() {
	s.mu.Lock()
	s.host.free()
	s.unlock()
	s.runner.free()
}

// End implements [vector.Case].
func (s *stage) End() (failed, skipped bool) {
	if s.failed && *first {
		os.Exit(1)
	}
	if s.began && !s.freed {
		s.free()
	}
	return s.failed, s.skipped
}

func main() {
	rules := flag.Bool("rules", false, "print the rules")
	flag.Parse()
	if *rules {
		fmt.Println(strings.Join(allRules, "\n"))
		os.Exit(0)
	}
	if ms, err := strconv.Atoi(os.Getenv("PATIENCE")); err == nil {
		patience = time.Duration(ms) * time.Millisecond
	}
	vector.Replay(flag.Args(), newStage).Exit()
}
