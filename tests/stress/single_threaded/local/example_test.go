// SPDX-License-Identifier: Apache-2.0

package single_threaded

import (
	"fmt"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/future"
)

// All tasks of a Local run on one goroutine at a time, so what they share is plain
// data. An idle Local may go on elsewhere: here a second goroutine does the second half,
// once a channel has told it to.
func Example() {
	balance, transfers := [2]int{1000, 1000}, 0
	l := executor.New(executor.Config{})
	for i := range 4 {
		from, done := i%2, 0
		_, err := executor.Spawn(l, future.Func[int](func(cx *executor.Context) (int, bool, error) {
			balance[from]--
			balance[1-from]++
			transfers++
			done++
			cx.WakeSelf() // after the others
			return done, done == 1000, nil
		}))
		if err != nil {
			panic(err)
		}
	}
	run := func(turns int) (live int) {
		for range turns {
			p, err := l.Poll(executor.Budget{})
			if err != nil {
				panic(err)
			}
			live = p.Live
		}
		return live
	}
	fmt.Println("first half:", run(500), "clerks at work")
	moved := make(chan int)
	go func() { moved <- run(500) }()
	fmt.Println("second half:", <-moved, "clerks at work")
	fmt.Println(transfers, "transfers, balance", balance)
	l.Free()
	// Output:
	// first half: 4 clerks at work
	// second half: 0 clerks at work
	// 4000 transfers, balance [1000 1000]
}
