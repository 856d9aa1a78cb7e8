"""Hear many live streams, from a process of its own that does nothing else, and note what came.

python benchmarks/rush/ears.py FILE: reads where, and a request for each stream, as a line of JSON,
says when all are open, hears until its input ends, and then writes to FILE, as JSON, the number of
the stream, the time (Unix, s) and the text of each piece that came. As a file, with nothing
of ours imported: by the benchmark's own loop 1,500 streams took 40 us of a core an event, and it
heard of a match when it had read of other photos; guests have a device each.
"""

import json
import select
import socket
import sys
import time
from pathlib import Path

PIECE_BYTES = 1 << 16
SECONDS_TO_OPEN = 60.0


def main() -> None:
    """Open them one after the other, and take what comes in the order in which it comes."""
    order = json.loads(sys.stdin.readline())
    heard: list[tuple[int, float, bytes]] = []
    ears: dict[int, tuple[int, socket.socket]] = {}
    poll = select.epoll()
    for number, request in enumerate(order["requests"]):
        ear = socket.create_connection((order["host"], order["port"]), SECONDS_TO_OPEN)
        ear.sendall(request.encode())
        heard += [(number, moment, piece) for moment, piece in _opening(ear)]
        ears[ear.fileno()] = number, ear
        poll.register(ear, select.EPOLLIN)
    poll.register(sys.stdin, select.EPOLLIN)
    print("hearing", flush=True)
    _hear(poll, ears, heard)
    told = [(number, moment, piece.decode("latin-1")) for number, moment, piece in heard]
    Path(sys.argv[1]).write_text(json.dumps(told), "latin-1")
    for _, ear in ears.values():
        ear.close()


def _opening(ear: socket.socket) -> list[tuple[float, bytes]]:
    """Take what comes until the first event, which says that the stream listens, or a refusal."""
    pieces: list[tuple[float, bytes]] = []
    whole = b""
    while b"\n\n" not in whole.partition(b"\r\n\r\n")[2]:
        piece = ear.recv(PIECE_BYTES)
        pieces.append((time.time(), piece))
        whole += piece
        if not piece or (b"\r\n" in whole and b" 200 " not in whole.partition(b"\r\n")[0]):
            break
    return pieces


def _hear(
    poll: select.epoll,
    ears: dict[int, tuple[int, socket.socket]],
    heard: list[tuple[int, float, bytes]],
) -> None:
    is_over = False
    while not is_over:
        for ready, _ in poll.poll():
            if ready == sys.stdin.fileno():
                is_over = True
                continue
            number, ear = ears[ready]
            piece = ear.recv(PIECE_BYTES)
            if not piece:
                poll.unregister(ready)
            heard.append((number, time.time(), piece))


if __name__ == "__main__":
    main()
