"""Where a folder's photos go."""

from dataclasses import dataclass

from findme_watch.manifest import Destination
from findme_watch.server import Server


@dataclass(frozen=True, slots=True)
class Target:
    """An event of a server, what is remembered of it, and the watcher by which photos are sent."""

    server: Server
    destination: Destination
    event_id: int
    watcher_id: int | None
