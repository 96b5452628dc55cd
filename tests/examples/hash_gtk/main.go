// SPDX-License-Identifier: Apache-2.0

// Hash_gtk is hash_gtk.c in Go, without cgo: a window in GTK 4 that hashes a directory,
// with a progress bar and a button that starts, cancels and closes. The digests go to
// stdout.
//
// Coroutines run on GTK's thread, so they set the widgets themselves.
package main

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/offload"
	"github.com/pillion-dev/pillion/foreign/glib"
	"github.com/pillion-dev/pillion/tests/examples/demo/hash"
)

const atOnce = 32

type program struct {
	local               *executor.Local
	directory           string
	window, bar, button uintptr
	hashing             *executor.Task[string]
	closes              bool
}

func list(directory string) executor.Future[[]string] {
	return offload.Go(func(ctx context.Context) (names []string, err error) {
		err = filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.Type().IsRegular() {
				names = append(names, path)
			}
			return cmp.Or(err, ctx.Err())
		})
		return names, err
	})
}

func digest(name string) executor.Future[string] {
	return offload.CPU(func(ctx context.Context) (string, error) { return hash.File(ctx, name) })
}

// hash is a coroutine's body. It says how it has ended.
func (p *program) hash(co *coro.Co) (string, error) {
	names, err := coro.Await(co, list(p.directory))
	if err != nil {
		return err.Error(), nil
	}
	done, failed := 0, 0
	err = coro.WithScope(co, executor.ScopeConfig{Limit: atOnce}, func(s *executor.Scope) error {
		for _, name := range names {
			_, err := coro.Spawn(s, func(co *coro.Co) (struct{}, error) {
				text, err := coro.Await(co, digest(name))
				if err == nil {
					fmt.Printf("%s  %s\n", text, name)
					done++
				} else {
					failed++
				}
				gtkProgressBarSetFraction(p.bar, float64(done)/float64(len(names)))
				return struct{}{}, nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	text := fmt.Sprintf("%d of %d files hashed, %d failed", done, len(names), failed)
	if err != nil {
		text += ", cancelled"
	}
	return text, nil
}

func (p *program) start() {
	p.hashing, _ = executor.Spawn(p.local, coro.New(func(co *coro.Co) (string, error) {
		text, err := p.hash(co)
		gtkProgressBarSetText(p.bar, text)
		gtkButtonSetLabel(p.button, "Close")
		fmt.Println(text)
		p.closes = true
		return text, err
	}))
	gtkButtonSetLabel(p.button, "Cancel")
}

func (p *program) click() {
	switch {
	case p.hashing == nil:
		p.start()
	case p.closes:
		gtkWindowDestroy(p.window)
	default:
		p.hashing.Cancel()
	}
}

func (p *program) activate(app uintptr) {
	p.window = gtkApplicationWindowNew(app)
	p.bar, p.button = gtkProgressBarNew(), gtkButtonNewWithLabel("Hash")
	gtkProgressBarSetShowText(p.bar, true)
	connect(p.button, "clicked", p.click)
	box := gtkBoxNew(1, 12) // vertical
	gtkBoxAppend(box, p.bar)
	gtkBoxAppend(box, p.button)
	gtkWindowSetChild(p.window, box)
	gtkWindowSetDefaultSize(p.window, 420, -1)
	gtkWindowPresent(p.window)
}

func run(directory string) error {
	if err := load(); err != nil {
		return err
	}
	host, err := glib.On(0, glib.PriorityDefaultIdle) // frames and the user's input go first
	if err != nil {
		return err
	}
	defer host.Close()
	p := &program{local: executor.New(executor.Config{Host: host}), directory: directory}
	if err := host.Attach(p.local); err != nil {
		return err
	}
	app := gtkApplicationNew(0, 0)
	connect(app, "activate", func() { p.activate(app) })
	gApplicationRun(app, 0, 0)
	return host.Err()
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: hash_gtk DIRECTORY")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
