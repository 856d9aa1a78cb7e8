"""A process that is large and busy; by itself, so that it starts without a test's imports."""

import os
from multiprocessing.connection import Connection


def work(connection: Connection) -> None:
    """Hold memory and burn CPU until told to end."""
    block = bytearray(30_000_000)
    while os.times().user < 0.2:
        block[os.getpid() % len(block)] += 1
        block[os.getpid() % len(block)] = 0
    connection.send(None)
    connection.recv()
