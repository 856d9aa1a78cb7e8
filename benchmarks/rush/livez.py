"""Ask a server whether it lives, from a process of its own, and tell its slowest answer.

python benchmarks/rush/livez.py HOST PORT: says when it begins, asks until its input ends, and then
prints milliseconds. As a file, and with nothing imported: what the benchmark itself imports took
2.5 s of a core at the moment that is measured.
"""

import http.client
import select
import sys
import time

EVERY_SECONDS = 0.05


def main() -> None:
    """Ask on a new connection each time, as an orchestrator does."""
    host, port = sys.argv[1], int(sys.argv[2])
    worst = 0.0
    print("asking", flush=True)
    while not select.select([sys.stdin], [], [], EVERY_SECONDS)[0]:
        started = time.perf_counter()
        connection = http.client.HTTPConnection(host, port, timeout=60)
        connection.request("GET", "/livez")
        connection.getresponse().read()
        connection.close()
        worst = max(worst, time.perf_counter() - started)
    print(worst * 1000)


if __name__ == "__main__":
    main()
