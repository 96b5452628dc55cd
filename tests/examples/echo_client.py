# SPDX-License-Identifier: Apache-2.0
"""echo_client.py SERVER: starts it, and has ten connections echo a megabyte each."""

import subprocess
import sys
import threading
import socket

CONNECTIONS, BYTES = 10, bytes(range(256)) * 4096


def talk(port: int, good: list[bool]) -> None:
    with socket.create_connection(("127.0.0.1", port)) as s:
        def send() -> None:
            s.sendall(BYTES)
            s.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        echoed = b"".join(iter(lambda: s.recv(65536), b""))
        sender.join()
        good.append(echoed == BYTES)


with subprocess.Popen([sys.argv[1], str(CONNECTIONS)], stdout=subprocess.PIPE, text=True) as server:
    port, good = int(server.stdout.readline()), []
    threads = [threading.Thread(target=talk, args=(port, good)) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"{sum(good)} of {CONNECTIONS}, exit status {server.wait()}")
