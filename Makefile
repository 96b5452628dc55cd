# SPDX-License-Identifier: Apache-2.0
#
#   make demo    the main job: hash and fetch through Go, from libuv and asyncio
#   make test    everything that is checked; installs what it needs
#   make fuzz    sequences of calls, FUZZ_SECONDS (300) of them
#   make mutants plants MUTANTS (100) mistakes, and says which no test finds
#   make adapters the cases of every loop on every loop, as a table
#   make carriers the cases of every executor on every carrier, as a table
#   make arm64   what runs under qemu-user as linux/arm64
#   make bench   our speeds beside those of our peers, to build/bench.jsonl
#   make lib     the stock library and the tests' own, to build/lib

SHELL := /bin/bash
LIB := build/lib
VERSION := $(shell sed -n 's/.*VERSION_STRING "\(.*\)"/\1/p' include/pillion/version.h)
SOURCES := $(shell find capi executor foreign/js tests/module -name '*.go' -o -name '*.[ch]' -o -name '*.map') \
	$(wildcard include/*.h include/pillion/*.h) go.mod

.PHONY: help lib demo test adapters fuzz mutants arm64 carriers bench clean
help:
	@sed -n 's/^#   //p' Makefile

lib: $(LIB)/libpillion.so $(LIB)/libpillion-test.so $(LIB)/libpillion-other.so \
	$(LIB)/pillion-test.wasm $(LIB)/pillion-test-wasi.wasm

$(LIB)/libpillion.so.$(VERSION): $(SOURCES)
	@mkdir -p $(LIB)
	go run ./capi/build -o $@ -soname libpillion.so.0

$(LIB)/libpillion.so: $(LIB)/libpillion.so.$(VERSION)
	ln -sf libpillion.so.$(VERSION) $(LIB)/libpillion.so.0
	ln -sf libpillion.so.0 $@

# The second is the tests' library of another author.
$(LIB)/libpillion-test.so $(LIB)/libpillion-other.so: $(SOURCES)
	@mkdir -p $(LIB)
	go run ./capi/build -o $@ ./tests/module

$(LIB)/pillion-test.wasm: $(SOURCES)
	@mkdir -p $(LIB)
	go run ./capi/build -unchecked -o $@ ./tests/module

$(LIB)/pillion-test-wasi.wasm: $(SOURCES)
	@mkdir -p $(LIB)
	go run ./capi/build -unchecked -wasi -o $@ ./tests/module

demo:
	@tests/demo.sh $(DIR)

test:
	@tests/run.sh

adapters:
	@tests/conformance/loops/adapters.sh

arm64:
	@tests/setup.sh test
	@tests/arm64/run.sh

carriers: lib
	@tests/setup.sh test
	@tests/conformance/run.sh
	@tests/arm64/run.sh
	@tests/freestanding/run.sh
	@build/venv/bin/python tests/conformance/carriers.py

fuzz:
	@tests/setup.sh test
	@tests/fuzz/run.sh

mutants:
	@tests/setup.sh test
	@build/venv/bin/python -m pip install -q --disable-pip-version-check -r tests/mutants/requirements.txt
	@build/venv/bin/python tests/mutants/mutants.py

bench:
	@tests/bench/run.sh

clean:
	rm -rf build
