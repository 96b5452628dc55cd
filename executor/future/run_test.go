// SPDX-License-Identifier: Apache-2.0

package future

import (
	"sync"
	"testing"

	. "github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/internal/test"
)

func TestRunWaitsForTheResult(t *testing.T) {
	p := NewPool(PoolConfig{})
	if err := p.Start(2); err != nil {
		t.Fatal(err)
	}
	v, err := Run[int](p, &probe{Ready: true})
	test.Equal(t, "the value", v, 1)
	test.Equal(t, "the error", err, nil)
	p.Stop()
	test.Equal(t, "free", p.Free(), nil)
	_, err = Run[int](p, new(probe))
	test.Equal(t, "the error", err, ErrClosed)
}

// Callers share their options, which Run must not write to.
func TestRunLeavesTheOptionsAlone(t *testing.T) {
	p := NewPool(PoolConfig{})
	if err := p.Start(2); err != nil {
		t.Fatal(err)
	}
	options := make([]Option, 1, 4)
	options[0] = WithDeadline(Never)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 50 {
				if _, err := Run(p, &probe{Ready: true, OnPoll: (*Context).WakeSelf}, options...); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	p.Stop()
	if err := p.Free(); err != nil {
		t.Error(err)
	}
}
