// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pillion-dev/pillion/executor/internal/model"
)

// quotas and the kinds stand in tables that are longer than there are kinds of each,
// since what is common should be common in any bytes.
var (
	quotas     = []int{0, 0, 0, 0, 1, 2, 5, 20}
	inTaskOps  = []model.Kind{model.Yield, model.Park, model.Park, model.Sleep, model.Sleep, model.Join, model.ShieldOn, model.ShieldOff, model.Return, model.Fail, model.Panic, model.Spawn, model.Spawn, model.WakeLocal, model.Wake, model.CancelLocal, model.Cancel, model.Evict, model.SetDeadline, model.ScopeSpawn, model.ScopeSpawn, model.ScopeAwait, model.ScopeCancel}
	outsideOps = []model.Kind{model.Turn, model.Turn, model.Turn, model.Turn, model.Turn, model.Turn, model.Pass, model.Jump, model.Jump, model.Spawn, model.WakeLocal, model.Wake, model.CancelLocal, model.Cancel, model.Evict, model.SetDeadline, model.Close}
)

// decode makes a program of any bytes: quotas, up to six scripts, each behind its
// length, and steps.
func decode(bytes []byte) model.Program {
	next := func() (b byte) {
		if len(bytes) > 0 {
			b, bytes = bytes[0], bytes[1:]
		}
		return b
	}
	ops := func(n int, kinds []model.Kind) (ops []model.Op) {
		for ; n > 0 && len(bytes) > 0; n-- {
			ops = append(ops, model.Op{Kind: kinds[int(next())%len(kinds)], A: next(), B: next()})
		}
		return ops
	}
	p := model.Program{MaxTasks: quotas[next()%8], MaxTimers: quotas[next()%8]}
	for n := 1 + next()%6; n > 0; n-- {
		p.Scripts = append(p.Scripts, ops(int(next()%20), inTaskOps))
	}
	p.Steps = ops(250, outsideOps)
	return p
}

func FuzzLocal(f *testing.F) {
	f.Fuzz(func(t *testing.T, program []byte) {
		if p := decode(program); len(p.Steps) > 0 {
			if _, err := compare(p, 0); err != nil {
				t.Fatalf("%+v\n%v", p, err)
			}
		}
	})
}

// The corpus must be one that a mistake can't pass.
func TestTheCorpusFindsPlantedMistakes(t *testing.T) {
	files, err := filepath.Glob("testdata/fuzz/FuzzLocal/*")
	if err != nil || len(files) == 0 {
		t.Skip("there is no corpus here")
	}
	var programs []model.Program
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		line := strings.TrimSpace(strings.TrimPrefix(string(text), "go test fuzz v1\n"))
		bytes, err := strconv.Unquote(strings.TrimSuffix(strings.TrimPrefix(line, "[]byte("), ")"))
		if err != nil {
			t.Fatal(file, err)
		}
		programs = append(programs, decode([]byte(bytes)))
	}
	for bug := model.Bug(1); bug < model.Bugs; bug++ {
		if !slices.ContainsFunc(programs, func(p model.Program) bool {
			_, err := compare(p, bug)
			return err != nil
		}) {
			t.Errorf("mistake %d is not found by any of %d programs", bug, len(programs))
		}
	}
}
