# SPDX-License-Identifier: Apache-2.0
"""both_ways.py LIBRARY TAIL_UV TABLE_GLIB: runs the examples of flows and of calls of the host as a
user does, with Ctrl-C. The last line tells how many runs were as expected."""

import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HERE = Path(__file__).parent
LIBRARY, TAIL_UV, TABLE_GLIB = sys.argv[1:]
CTRL_C = 130
passed = 0

signal.signal(signal.SIGINT, signal.default_int_handler)  # children of a background job ignore it else


class Run:
    """An example that runs."""

    def __init__(self, *command):
        if command[0].endswith(".py"):
            command = [sys.executable, str(HERE / command[0]), LIBRARY, *command[1:]]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)

    def read(self, length):
        return self.process.stdout.read(length)

    def expect(self, text):
        got = self.read(len(text))
        assert got == text, (text, got)

    def type(self, text):
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def result(self):
        """What it has printed that was not read, and how it has ended."""
        global passed
        passed += 1
        out, errors = self.process.communicate(timeout=60)
        return self.process.returncode, out, errors

    def ends(self, code, out="", errors=""):
        got = self.result()
        assert got == (code, out, errors), (self.process.args, got, (code, out, errors))

    def interrupted(self, out=""):
        self.process.send_signal(signal.SIGINT)
        self.ends(CTRL_C, out)


# ---- A stream ---------------------------------------------------------------


def tail(folder):
    log = folder / "log"
    for program in ["tail.py"], [TAIL_UV]:
        log.write_text("one\ntwo\n")
        run = Run(*program, str(log))
        run.expect("one\ntwo\n")
        with log.open("a") as file:
            file.write("thr")
            file.flush()
            file.write("ee\n" + "x" * 100000 + "\n")
        run.expect("three\n" + "x" * 100000 + "\n")
        with log.open("a") as file:
            file.write("before the rotation\n")
            log.rename(folder / "log.1")
            file.write("after the rename\n")
        # The writer has closed the old file before there is a new one.
        log.write_text("".join(f"{i}\n" for i in range(10000)))
        run.expect("before the rotation\nafter the rename\n")
        run.expect("".join(f"{i}\n" for i in range(10000)))
        run.interrupted()
    run = Run("tail.py", str(log), "99")
    run.ends(0, "".join(f"{i}\n" for i in range(100)))
    for program in ["tail.py"], [TAIL_UV]:
        name = Path(program[0]).name
        run = Run(*program, str(folder / "none"))
        run.ends(1, "", f"{name}: open {folder}/none: no such file or directory\n")


# ---- Items for Go, and a signal ---------------------------------------------


class Server(BaseHTTPRequestHandler):
    """Takes uploads."""

    def do_PUT(self):
        self.server.began.set()
        hash, length = hashlib.sha256(), 0
        while size := int(self.rfile.readline() or b"-1", 16):
            if size < 0:
                self.server.broken.set()
                return
            data = self.rfile.read(size + 2)[:size]
            hash.update(data)
            length += len(data)
        self.rfile.readline()
        self.server.taken.append((length, hash.hexdigest()))
        self.send_response(403 if self.path == "/no" else 201)
        self.end_headers()

    def log_message(self, *_):
        pass


def upload(folder):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    server.taken, server.began, server.broken = [], threading.Event(), threading.Event()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    data = os.urandom(300000)
    (folder / "data").write_bytes(data)
    hash = hashlib.sha256(data).hexdigest()

    code, out, errors = Run("upload.py", url, str(folder / "data")).result()
    assert (code, out) == (0, f"\n300000 bytes, SHA-256 {hash}\n"), (code, out, errors)
    assert errors.endswith("\n#### 300,000 bytes"), errors  # \r is a newline here
    assert server.taken == [(300000, hash)]
    for file, why in ("none", "No such file"), ("data", "upload.py: the server answers 403 Forbidden"):
        code, out, errors = Run("upload.py", url + "/no", str(folder / file)).result()
        assert (code, out) == (1, "") and why in errors, (code, out, errors)

    server.began.clear()
    server.broken.clear()
    run = Run("upload.py", url)
    run.type("some of it")
    server.began.wait()
    assert not server.broken.is_set()
    run.process.send_signal(signal.SIGINT)
    code, out, errors = run.result()
    assert (code, out) == (CTRL_C, ""), (code, out, errors)
    assert server.broken.wait(60)
    server.shutdown()


# ---- A provider -------------------------------------------------------------


def template(folder):
    files = {
        "page": 'Dear {{.name}},\n{{include "body" .}}{{include "foot" .}}',
        "body": 'welcome to {{include "place" .place}}!\n',
        "place": "<{{.}}>",
        "foot": "Bye\n",
        "lost": '{{include "none" .}}',
        "loop": '{{include "loop" .}}',
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    os.mkfifo(folder / "slow")
    render = ["template.py", str(folder)]
    Run(*render, "page", "name=Ann", "place=Go").ends(0, "Dear Ann,\nwelcome to <Go>!\nBye\n")
    for name, why in ("lost", "FileNotFoundError"), ("loop", "loop includes itself"):
        code, out, errors = Run(*render, name).result()
        assert (code, out) == (1, "") and errors.startswith("template.py: template: "), errors
        assert why in errors, errors
    run = Run(*render, "slow")
    with open(folder / "slow", "w"):  # Python reads it now
        run.process.send_signal(signal.SIGINT)
        assert run.process.stderr.readline() == "gives up slow\n"
    run.ends(CTRL_C)


# ---- An object --------------------------------------------------------------


def table(folder):
    towns = folder / "towns.csv"
    rows = ['{"city":"Bern","name":"ann"}\n', '{"city":"Bern","name":"cyd"}\n']
    for program in "table.py", TABLE_GLIB:
        name = Path(program).name
        towns.write_text("name,city\nann,Bern\nbob,Basel\n")
        Run(program, str(towns), '{"city":"Bern"}').ends(0, rows[0])
        Run(program, str(towns), '{"city":"Bern"}', '{"name":"cyd","city":"Bern"}').ends(0, "".join(rows))
        assert towns.read_text() == "name,city\nann,Bern\nbob,Basel\ncyd,Bern\n"
        with towns.open("a") as file:
            file.write("one field\n")
        wrong = f"{name}: row 4: record on line 5: wrong number of fields\n"
        Run(program, str(towns), "{}").ends(1, rows[0] + '{"city":"Basel","name":"bob"}\n' + rows[1], wrong)
        run = Run(program, str(folder / "none"), "{}")
        run.ends(1, "", f"{name}: open {folder}/none: no such file or directory\n")
        many = 300000
        towns.write_text("name,city\n" + "ann,Bern\n" * many)
        run = Run(program, str(towns), "{}")
        run.expect(rows[0])
        run.process.send_signal(signal.SIGINT)  # while it waits for its reader
        out = run.process.stdout.read()
        run.ends(CTRL_C)
        printed, half = divmod(len(out), len(rows[0]))
        assert out == rows[0] * printed and printed < many - 1 and not half


# ---- A lent function, and the log -------------------------------------------


def login():
    prompt = "Password of ann: "
    run = Run("login.py", "ann")
    run.expect(prompt)
    run.type("wrong\n")
    run.expect(prompt)
    run.type("sesame\n")
    run.ends(0, "session of ann\n")
    run = Run("login.py", "ann")
    run.type("1\n2\n3\nsesame\n")
    run.ends(1, 3 * prompt, "login.py: wrong password\n")
    run = Run("login.py", "ann")
    run.process.stdin.close()
    run.process.stdin = None
    run.ends(1, prompt, "login.py: EOFError: no password\n")
    run = Run("login.py", "ann", "0.3")
    assert run.process.stdout.read() in (prompt + "(too late)\n", "")  # a slow machine asks nothing
    run.ends(1, "", "login.py: The time is up.\n")
    run = Run("login.py", "ann")
    run.expect(prompt)
    run.interrupted("(too late)\n")


def news():
    where = "github.com/pillion-dev/pillion/tests/examples/news.update"
    lines = [
        f"DEBUG news {where}: looks for news, feed go\n",
        f"INFO news {where}: updated, feed go\n",
        f"WARNING news {where}: an item has no date, feed go\n",
    ]
    for first, level in enumerate(["DEBUG", "INFO", "WARNING"]):
        Run("news.py", "go", level).ends(0, "", "".join(lines[first:]))


with tempfile.TemporaryDirectory() as name:
    for work in tail, upload, template, table:
        (Path(name) / work.__name__).mkdir()
        work(Path(name) / work.__name__)
login()
news()
print(passed)
