"""The command `findme-watch`."""

import asyncio
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from enum import IntEnum

from findme_watch import doctor, status
from findme_watch.manifest import ManifestUnusable
from findme_watch.server import Refused, Shut
from findme_watch.settings import Settings, WrongSettings, parse
from findme_watch.telling import Event, Teller, What, teller
from findme_watch.watch import GivenUp, NoEvent, watch


class Exit(IntEnum):
    """What the command's end says to scripts."""

    DONE = 0
    NOT_ALL_SENT = 1
    WRONG_OPTIONS = 2
    NOT_LET_IN = 3
    NO_NETWORK = 4
    INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command, and return its exit status."""
    try:
        settings = parse(sys.argv[1:] if arguments is None else arguments)
        match settings.command:
            case "status":
                return status.show(settings)
            case "doctor":
                return asyncio.run(doctor.examine(settings))
            case _:
                with teller(as_json=settings.as_json) as told:
                    return _watch(settings, told)
    except (WrongSettings, ManifestUnusable) as error:
        sys.stderr.write(f"findme-watch: {error}\n")
        return Exit.WRONG_OPTIONS
    except KeyboardInterrupt:
        return Exit.INTERRUPTED


def _watch(settings: Settings, told: Teller) -> int:
    try:
        not_sent = asyncio.run(_until_stopped(settings, told))
    except (Shut, Refused, NoEvent) as error:
        told.tell(Event(What.PROBLEM, reason=str(error)))
        return Exit.NOT_LET_IN
    except GivenUp as error:
        told.tell(Event(What.PROBLEM, reason=str(error)))
        return Exit.NO_NETWORK
    return Exit.NOT_ALL_SENT if not_sent else Exit.DONE


async def _until_stopped(settings: Settings, told: Teller) -> int:
    """Watch; SIGTERM, as of systemd and launchd, is an end like any other."""
    work = asyncio.ensure_future(watch(settings, told))
    stopped = False

    def stop() -> None:
        nonlocal stopped
        stopped = True
        work.cancel()

    with suppress(NotImplementedError):  # Windows ends its services by Ctrl-C and Ctrl-Break
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
    try:
        return await work
    except asyncio.CancelledError:
        if not stopped:
            raise
        return 0
