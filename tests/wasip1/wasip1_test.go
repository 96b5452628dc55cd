// SPDX-License-Identifier: Apache-2.0

// Package wasip1 drives a reactor from wazero, a host without JavaScript. Its records are
// those of foreign/js and capi/wasm.
package wasip1

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"os"
	"strconv"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

const head = 32

// Records, as in capi/wasm.
const (
	toCall, toCancel         = 8, 9
	fromFunctions, fromEnded = 8, 9
)

// record is one that Go has told.
type record struct {
	what, id, a, b uint32
	payload        []byte
}

// host makes the turns of one instance.
type host struct {
	t       *testing.T
	module  api.Module
	page    uint32
	used    uint32
	turns   uint32
	woken   int
	indices map[string]uint32
}

var module []byte

func TestMain(m *testing.M) {
	var err error
	if module, err = os.ReadFile("../../build/lib/pillion-test-wasi.wasm"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// start makes an instance. The compilation takes a second, so the tests share it.
func start(t *testing.T, r wazero.Runtime, compiled wazero.CompiledModule) *host {
	ctx := context.Background()
	h := &host{t: t, indices: map[string]uint32{}}
	must(t, func() (err error) {
		_, err = r.NewHostModuleBuilder("pillion").NewFunctionBuilder().WithFunc(func() { h.woken++ }).Export("wake").Instantiate(ctx)
		return err
	})
	config := wazero.NewModuleConfig().WithStartFunctions("_initialize").WithSysNanotime().WithSysWalltime().WithStderr(os.Stderr)
	must(t, func() (err error) {
		h.module, err = r.InstantiateModule(ctx, compiled, config)
		return err
	})
	h.page = uint32(h.call("pillion_page")[0])
	for _, r := range h.turn() {
		if r.what == fromFunctions {
			for i, name := range names(t, r.payload) {
				h.indices[name] = uint32(i)
			}
		}
	}
	return h
}

// names reads the descriptors' names.
func names(t *testing.T, lines []byte) (all []string) {
	for line := range bytes.Lines(lines) {
		var d struct{ Module, Name string }
		if err := json.Unmarshal(line, &d); err != nil {
			t.Fatal(err)
		}
		all = append(all, d.Module+"."+d.Name)
	}
	return all
}

func must(t *testing.T, f func() error) {
	t.Helper()
	if err := f(); err != nil {
		t.Fatal(err)
	}
}

func (h *host) call(name string, args ...uint64) []uint64 {
	h.t.Helper()
	results, err := h.module.ExportedFunction(name).Call(context.Background(), args...)
	if err != nil {
		h.t.Fatalf("%s: %v", name, err)
	}
	return results
}

// number is one of the page's.
func (h *host) number(at uint32) uint32 {
	n, _ := h.module.Memory().ReadUint32Le(h.page + at)
	return n
}

// put tells Go something.
func (h *host) put(what, id, a, b uint32, milliseconds float64, payload string) {
	size := head + (uint32(len(payload))+7)&^7
	if h.used+size > h.number(20) {
		h.call("pillion_room", uint64(h.used), uint64(h.used+size))
	}
	m, at := h.module.Memory(), h.number(16)+h.used
	for i, n := range []uint32{what, id, a, b, 0, uint32(len(payload))} {
		m.WriteUint32Le(at+uint32(4*i), n)
	}
	m.WriteFloat64Le(at+24, milliseconds)
	m.WriteString(at+head, payload)
	h.used += size
}

// turn makes one, lets goroutines run, and gives what Go has told.
func (h *host) turn() (told []record) {
	h.call("pillion_turn", uint64(h.used), 0, api.EncodeF64(0))
	h.used, h.woken = 0, 0
	h.turns++
	if h.number(8) != h.turns {
		h.t.Fatal("a turn has blocked")
	}
	told = h.drain()
	if h.number(4)&2 != 0 {
		h.call("pillion_resume")
		told = append(told, h.drain()...)
	}
	return told
}

func (h *host) drain() (told []record) {
	m := h.module.Memory()
	all, _ := m.Read(h.number(24), h.number(28))
	for len(all) >= head {
		n := func(at int) uint32 { return binary.LittleEndian.Uint32(all[at:]) }
		r := record{what: n(0), id: n(4), a: n(8), b: n(12)}
		address, length := n(16), n(20)
		all = all[head:]
		if address != 0 {
			r.payload, _ = m.Read(address, length)
		} else {
			r.payload = all[:length]
			all = all[(length+7)&^7:]
		}
		r.payload = append([]byte(nil), r.payload...)
		told = append(told, r)
	}
	m.WriteUint32Le(h.page+28, 0)
	return told
}

// ends makes turns until so many calls have ended, of which told may have some.
func (h *host) ends(n int, told ...record) map[uint32]record {
	ended := map[uint32]record{}
	for ; len(ended) < n; told = h.turn() {
		for _, r := range told {
			if r.what == fromEnded {
				if _, twice := ended[r.id]; twice {
					h.t.Fatalf("call %d has ended twice", r.id)
				}
				ended[r.id] = r
			}
		}
	}
	return ended
}

func (h *host) submit(name string, id uint32, milliseconds float64, payload string) {
	h.t.Helper()
	index, ok := h.indices[name]
	if !ok {
		h.t.Fatalf("there is no function %s", name)
	}
	h.put(toCall, id, index, ^uint32(0), milliseconds, payload)
}

func TestReactor(t *testing.T) {
	ctx := context.Background()
	r := wazero.NewRuntime(ctx)
	defer r.Close(ctx)
	wasi_snapshot_preview1.MustInstantiate(ctx, r)
	compiled, err := r.CompileModule(ctx, module)
	if err != nil {
		t.Fatal(err)
	}
	h := start(t, r, compiled)
	in := func(t *testing.T) *host { h.t = t; return h }

	t.Run("functions of each kind answer", func(t *testing.T) {
		h := in(t)
		names := []string{"test.echo", "test.loop_echo", "test.async_echo", "test.upper"}
		for i, name := range names {
			h.submit(name, uint32(i+1), 0, "A")
		}
		for id, r := range h.ends(len(names)) {
			if int32(r.a) != 0 || string(r.payload) != "A" {
				t.Errorf("call %d gives status %d and %q", id, int32(r.a), r.payload)
			}
		}
	})
	t.Run("a thousand calls, each its own answer", func(t *testing.T) {
		h := in(t)
		for i := range uint32(1000) {
			h.submit([]string{"test.echo", "test.loop_echo"}[i%2], i+1, 0, strconv.Itoa(int(i))+string(make([]byte, i)))
		}
		for id, r := range h.ends(1000) {
			if text := strconv.Itoa(int(id-1)) + string(make([]byte, id-1)); string(r.payload) != text {
				t.Fatalf("call %d gives %d bytes", id, len(r.payload))
			}
		}
	})
	t.Run("cancels, deadlines, panics and timers", func(t *testing.T) {
		h := in(t)
		h.submit("test.loop_block", 1, 0, "")
		h.submit("test.block", 2, 0, "")
		h.submit("test.block", 3, 0.001, "")
		h.submit("test.panic", 4, 0, "oh")
		h.submit("test.loop_sleep", 5, 0, "1000")
		h.submit("test.sleep", 6, 0, "1000")
		told := h.turn()
		h.put(toCancel, 1, 0, 0, 0, "")
		h.put(toCancel, 2, 0, 0, 0, "")
		ended := h.ends(6, told...)
		for id, status := range map[uint32]int32{1: -11, 2: -11, 3: -16, 4: -12, 5: 0, 6: 0} {
			if got := int32(ended[id].a); got != status {
				t.Errorf("call %d has status %d, not %d", id, got, status)
			}
		}
		if live := h.number(12); live != 0 {
			t.Errorf("%d tasks live", live)
		}
	})
}
