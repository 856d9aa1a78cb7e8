"""How the workers of a pool are started."""

from multiprocessing.connection import Connection
from typing import Generic, Protocol

from libs.common.telemetry import logs
from libs.common.workers.running import Running, spawned
from libs.common.workers.serving import A, Factory, P, Probe, serve
from libs.common.workers.template import Template, can_copy


class Starter(Protocol):
    """Starts workers, asked by any thread."""

    def prepare(self) -> None:
        """Make what all workers have in common.

        Raises what the factory raises, WorkerNotStarted and WorkersStopped.
        """
        ...

    def start(self, connection: Connection, mouth: Connection) -> Running:
        """Start one that answers on `connection` and prints to `mouth`, both for us to close.

        Its first answer says that it is ready, or why not. Raises OSError, AskAgain, and what
        `prepare` raises.
        """
        ...

    def is_outdated(self, running: Running) -> bool:
        """Whether others have more in common than this one has with them."""
        ...

    def renew(self, crashed: Running) -> None:
        """Have nothing in common any more with one that died by a signal of its own making.

        Or may have: nobody has seen how it ended.
        """
        ...

    def stop(self) -> None:
        """Start none any more."""
        ...


class FromNothing(Generic[P, A]):
    """Each worker is an interpreter of its own, which makes all that it needs."""

    def __init__(self, factory: Factory[P, A], probe: Probe[P, A] | None, *, name: str) -> None:
        self._factory = factory
        self._probe = probe
        self._name = name

    def prepare(self) -> None:
        """See `Starter`: they have nothing in common."""

    def start(self, connection: Connection, mouth: Connection) -> Running:
        """See `Starter`."""
        logging = logs.configured()
        arguments = (self._factory, self._probe, logging, self._name)
        return spawned(self._name, serve, connection, mouth, *arguments)

    def is_outdated(self, running: Running) -> bool:
        """See `Starter`."""
        return False

    def renew(self, crashed: Running) -> None:
        """See `Starter`: they never had."""

    def stop(self) -> None:
        """See `Starter`: nothing is its own."""


def starter(
    processes: int, factory: Factory[P, A], probe: Probe[P, A] | None, *, name: str
) -> Starter:
    """Return how so many workers are started: one alone has nobody to share with."""
    if processes > 1 and can_copy():
        return Template(factory, probe, name=name)
    return FromNothing(factory, probe, name=name)
