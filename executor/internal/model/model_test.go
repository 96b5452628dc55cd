// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/internal/model"
	"github.com/pillion-dev/pillion/executor/internal/test"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { test.Main(m) }

// The programs are the same each time, a million events or so. Others, and more:
// go test -rapid.seed=2 -rapid.checks=1000000. A failure prints its seed, with which
// it comes at once.
func init() {
	for name, value := range map[string]string{"checks": "8000", "seed": "1", "nofailfile": "true"} {
		if err := flag.Set("rapid."+name, value); err != nil {
			panic(err)
		}
	}
}

// inTask and outside are the kinds, each as often as it is to come.
var (
	inTask = kinds(map[model.Kind]int{
		model.Yield: 4, model.Park: 5, model.Sleep: 6, model.Join: 4, model.ShieldOn: 2, model.ShieldOff: 2,
		model.Return: 1, model.Fail: 1, model.Panic: 1, model.Spawn: 4, model.WakeLocal: 4, model.Wake: 3,
		model.CancelLocal: 1, model.Cancel: 1, model.Evict: 1, model.SetDeadline: 2,
		model.ScopeSpawn: 6, model.ScopeAwait: 3, model.ScopeCancel: 1,
	})
	outside = kinds(map[model.Kind]int{
		model.Turn: 30, model.Pass: 6, model.Jump: 8, model.Spawn: 5, model.WakeLocal: 6, model.Wake: 8,
		model.CancelLocal: 2, model.Cancel: 3, model.Evict: 2, model.SetDeadline: 3, model.Close: 1,
	})
)

func kinds(often map[model.Kind]int) *rapid.Generator[model.Kind] {
	var all []model.Kind
	for k := range model.Close + 1 {
		all = append(all, slices.Repeat([]model.Kind{k}, often[k])...)
	}
	return rapid.SampledFrom(all)
}

func ops(kind *rapid.Generator[model.Kind]) *rapid.Generator[model.Op] {
	return rapid.Custom(func(t *rapid.T) model.Op {
		return model.Op{Kind: kind.Draw(t, "kind"), A: rapid.Byte().Draw(t, "a"), B: rapid.Byte().Draw(t, "b")}
	})
}

var programs = rapid.Custom(func(t *rapid.T) model.Program {
	quota := rapid.SampledFrom([]int{0, 0, 0, 1, 2, 5, 20})
	return model.Program{
		MaxTasks:  quota.Draw(t, "most tasks"),
		MaxTimers: quota.Draw(t, "most timers"),
		Scripts:   rapid.SliceOfN(rapid.OneOf(rapid.SliceOfN(ops(inTask), 0, 4), rapid.SliceOfN(ops(inTask), 5, 20)), 1, 6).Draw(t, "scripts"),
		Steps:     rapid.OneOf(rapid.SliceOfN(ops(outside), 1, 20), rapid.SliceOfN(ops(outside), 60, 250)).Draw(t, "steps"),
	}
})

// compare runs a program on both, and says where they differ.
func compare(p model.Program, bug model.Bug) (steps int, err error) {
	r := newReal(p)
	model.Run(r, p, func() error { return nil })
	turns := 0
	m := model.New(p, r.slot, func() int64 {
		if turns++; turns > len(r.told) {
			return executor.Never // only a planted mistake goes on for longer
		}
		return r.told[turns-1]
	})
	m.Bug = bug
	at := 0
	err = model.Run(m, p, func() error {
		defer m.Forget()
		events := m.Events()
		got := r.log[at:min(at+len(events), len(r.log))]
		at += len(got)
		steps += len(got)
		if !slices.Equal(got, events) {
			return fmt.Errorf("the model has:\n%sthe executor has:\n%s", show(events), show(got))
		}
		return nil
	})
	if err == nil && at < len(r.log) {
		err = fmt.Errorf("the executor goes on:\n%s", show(r.log[at:]))
	}
	return steps, err
}

func show(events []model.Event) string {
	var b strings.Builder
	for _, e := range events {
		fmt.Fprintf(&b, "  %+v\n", e)
	}
	return b.String()
}

func TestLocalDoesAsTheModel(t *testing.T) {
	steps := 0
	rapid.Check(t, func(t *rapid.T) {
		p := programs.Draw(t, "program")
		n, err := compare(p, 0)
		if steps += n; err != nil {
			t.Fatal(err)
		}
	})
	t.Logf("%d events", steps)
}

// A comparison that can't fail shows nothing.
func TestPlantedMistakesAreFound(t *testing.T) {
	for bug := model.Bug(1); bug < model.Bugs; bug++ {
		seed := 0
		for {
			if _, err := compare(programs.Example(seed), bug); err != nil {
				break
			}
			if seed++; seed == 2000 {
				t.Fatalf("mistake %d was not found", bug)
			}
		}
		t.Logf("mistake %d: program %d", bug, seed)
	}
}
