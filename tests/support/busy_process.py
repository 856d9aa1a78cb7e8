"""A process that is large and busy; by itself, so that it starts without a test's imports."""

import os
from collections.abc import Callable
from multiprocessing.connection import Connection

MUCH_BYTES = 200_000_000


def work(connection: Connection) -> None:
    """Hold memory and burn CPU until told to end."""
    block = bytearray(b"x") * 30_000_000
    burn_cpu()
    connection.send(len(block))
    connection.recv()


def with_much_memory() -> Callable[[], int]:
    """A worker's factory: it holds memory, and what it makes burns CPU."""
    block = bytearray(b"x") * MUCH_BYTES

    def run() -> int:
        burn_cpu()
        return len(block)

    return run


def burn_cpu() -> None:
    while os.times().user < 0.2:
        sum(range(10_000))
