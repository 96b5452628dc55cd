// SPDX-License-Identifier: Apache-2.0

// Package play has the Go functions of the vectors of calls: each does what the script
// in its request says. A replayer calls them, and reads what they have seen.
package play

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
	"sync"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/export"
	"github.com/pillion-dev/pillion/executor/imports"
)

// Request is a script, and what the call lends.
type Request struct {
	Play   int                               `json:"play"` // the case, by a number of its own
	Name   string                            `json:"name"` // the call
	Script []string                          `json:"script"`
	Ask    []export.Callback[string, string] `json:"ask"`
	Tell   []export.Signal[string]           `json:"tell"`
}

// play is a case.
type play struct {
	trace []string
	opens map[string]chan struct{}
}

var (
	mu    sync.Mutex
	plays = make(map[int]*play)
)

// at is for the holder of mu.
func at(number int) *play {
	p := plays[number]
	if p == nil {
		p = &play{opens: make(map[string]chan struct{})}
		plays[number] = p
	}
	return p
}

func (r *Request) saw(format string, args ...any) {
	mu.Lock()
	defer mu.Unlock()
	p := at(r.Play)
	p.trace = append(p.trace, r.Name+"<"+fmt.Sprintf(format, args...))
}

// Trace takes what the calls of a case have seen.
func Trace(number int) []string {
	mu.Lock()
	defer mu.Unlock()
	p := at(number)
	words := p.trace
	p.trace = nil
	return words
}

// gate is what a call's pend waits for. The call may come before the wake or after it.
func gate(number int, name string) chan struct{} {
	mu.Lock()
	defer mu.Unlock()
	p := at(number)
	if p.opens[name] == nil {
		p.opens[name] = make(chan struct{}, 1)
	}
	return p.opens[name]
}

// Wake lets a call go on that pends, or will.
func Wake(number int, name string) {
	gate(number, name) <- struct{}{}
}

// side is where a script runs.
type side interface {
	item(text string) error
	read() (string, error)
	stop()
	tell(i int, text string) error
	ask(i int, text string) (string, error)
	fetch(text string) (string, error)
	ranges(text string, most int) (string, error)
	pours(text string, most int) (string, error)
	begin(i int, text string) // of a call that nothing awaits
	drop()                    // of that
	pend() error
	err() error // why it has to end
}

// text gives the payload that a word stands for.
func text(word string) string {
	if word == "''" {
		return ""
	}
	return word
}

func word(text string) string {
	if text == "" {
		return "''"
	}
	return text
}

// run does what the script says. Only a host's function may fail without ending it.
func (r *Request) run(s side) (result string, err error) {
	argument := func(i int) string {
		if i < len(r.Script) {
			return r.Script[i]
		}
		return ""
	}
	number := func() int { n, _ := strconv.Atoi(argument(1)); return n }
	for used := 0; len(r.Script) > 0; r.Script = r.Script[min(used, len(r.Script)):] {
		used = 2
		switch r.Script[0] {
		case "say":
			r.saw("%s", argument(1))
		case "item":
			err = s.item(text(argument(1)))
		case "read":
			var item string
			if item, err = s.read(); err == io.EOF {
				item, err = "eof", nil
			}
			if err == nil {
				r.saw("%s", word(item))
			}
			used = 1
		case "stop":
			s.stop()
			used = 1
		case "tell":
			err = s.tell(number(), text(argument(2)))
			used = 3
		case "latest":
			err = r.Tell[number()].Latest(text(argument(2)))
			used = 3
		case "ask":
			r.answered(s.ask(number(), text(argument(2))))
			used = 3
		case "begin":
			s.begin(number(), text(argument(2)))
			used = 3
		case "drop":
			s.drop()
			used = 1
		case "fetch":
			r.answered(s.fetch(text(argument(1))))
		case "range":
			most, _ := strconv.Atoi(argument(2))
			r.answered(s.ranges(text(argument(1)), most))
			used = 3
		case "pour":
			most, _ := strconv.Atoi(argument(2))
			r.answered(s.pours(text(argument(1)), most))
			used = 3
		case "pend":
			err = s.pend()
			used = 1
		case "return":
			return text(argument(1)), s.err()
		case "fail":
			return "", errors.New(argument(1))
		case "panic":
			panic("panic")
		default:
			return "", fmt.Errorf("no word of a script: %s", r.Script[0])
		}
		if err != nil {
			r.saw("!%s", why(err))
			return "", told(err)
		}
	}
	return "", s.err()
}

func (r *Request) answered(answer string, err error) {
	if err != nil {
		r.saw("!%s", why(err))
	} else {
		r.saw("%s", word(answer))
	}
}

var whys = map[error]string{
	executor.ErrCancelled: "cancelled", context.Canceled: "cancelled", executor.ErrClosed: "cancelled",
	executor.ErrTimedOut: "late", context.DeadlineExceeded: "late",
	imports.ErrNotProvided: "none", imports.ErrHostGone: "gone", imports.ErrCallOver: "over",
	errors.ErrUnsupported: "unsupported",
}

func why(err error) string {
	var failed *imports.Error
	if errors.As(err, &failed) {
		return fmt.Sprintf("failed:%d:%s", failed.Code, failed.Message)
	}
	for one, word := range whys {
		if errors.Is(err, one) {
			return word
		}
	}
	return err.Error()
}

// told gives the error that the call ends with.
func told(err error) error {
	if w := why(err); w != "cancelled" && w != "late" {
		return errors.New(w)
	}
	return err
}

var (
	fetch = imports.Func[string, string]("vector.Host", "fetch")
	feed  = imports.Func[string, string]("vector.Host", "feed")
	sum   = imports.Collect[string, string, string]("vector.Host", "sum")
)

func init() {
	export.Func("vector.call", func(ctx context.Context, r Request) (string, error) {
		return r.run(&goroutine{Request: &r, ctx: ctx})
	})
	export.Stream("vector.stream", func(ctx context.Context, r Request) iter.Seq2[string, error] {
		return (&goroutine{Request: &r, ctx: ctx}).pouring()
	})
	export.Collect("vector.collect", func(ctx context.Context, r Request, items iter.Seq2[string, error]) (string, error) {
		g := (&goroutine{Request: &r, ctx: ctx}).pulled(items)
		defer g.end()
		return r.run(g)
	})
	export.Duplex("vector.duplex", func(ctx context.Context, r Request, items iter.Seq2[string, error]) iter.Seq2[string, error] {
		return (&goroutine{Request: &r, ctx: ctx}).pulled(items).pouring()
	})
	export.Loop("vector.loop_call", func(co *coro.Co, r Request) (string, error) {
		return r.run(&coroutine{Request: &r, co: co})
	})
	export.LoopStream("vector.loop_stream", func(co *coro.Co, r Request, out *export.Out[string]) error {
		_, err := r.run(&coroutine{Request: &r, co: co, out: out})
		return err
	})
	export.Func("vector.trace", func(_ context.Context, play int) (string, error) {
		return strings.Join(Trace(play), " "), nil
	})
	export.Func("vector.wake", func(_ context.Context, r Request) (struct{}, error) {
		Wake(r.Play, r.Name)
		return struct{}{}, nil
	})
}
