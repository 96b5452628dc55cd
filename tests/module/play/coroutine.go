// SPDX-License-Identifier: Apache-2.0

package play

import (
	"errors"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/export"
	"github.com/pillion-dev/pillion/executor/future"
)

// coroutine is a script on a loop, or on a pool.
type coroutine struct {
	*Request
	co    *coro.Co
	out   *export.Out[string]
	begun executor.Future[string]
}

func (c *coroutine) item(text string) error { return c.out.Send(c.co, text) }

func (c *coroutine) read() (string, error) { return "", errors.ErrUnsupported }

func (c *coroutine) stop() {}

func (c *coroutine) tell(i int, text string) error {
	_, err := coro.Await(c.co, c.Tell[i].Start(text))
	return err
}

func (c *coroutine) ask(i int, text string) (string, error) {
	return coro.Await(c.co, c.Ask[i].Start(text))
}

func (c *coroutine) fetch(text string) (string, error) { return coro.Await(c.co, fetch.Start(text)) }

func (c *coroutine) ranges(string, int) (string, error) { return "", errors.ErrUnsupported }

func (c *coroutine) pours(string, int) (string, error) { return "", errors.ErrUnsupported }

func (c *coroutine) begin(i int, text string) {
	c.begun = c.Ask[i].Start(text)
	_, _, _ = c.begun.Poll(c.co.Context())
}

// drop is what becomes of the loser of a race.
func (c *coroutine) drop() { future.Drop(c.begun) }

func (c *coroutine) pend() error {
	p := future.NewPromise[struct{}](nil)
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-gate(c.Play, c.Name):
			p.Resolve(struct{}{})
		case <-ended:
		}
	}()
	_, err := coro.Await(c.co, executor.Future[struct{}](p))
	return err
}

func (c *coroutine) err() error { return nil }
