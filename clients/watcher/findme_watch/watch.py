"""Put together what watches: the server, what is remembered, and each folder's watch."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Final

from findme_watch.agent import Agent
from findme_watch.delivery import Delivery
from findme_watch.folder_watch import FolderWatch, Job
from findme_watch.manifest import Manifest
from findme_watch.server import NotNow, Server, Stumbled, new_client
from findme_watch.settings import Settings
from findme_watch.target import Target
from findme_watch.telling import Event, Teller, What
from findme_watch.turns import Turns

_ASK_AGAIN_SECONDS: Final = 5.0


class NoEvent(Exception):
    """It is not clear where to the photos are to go; the message lists what there is."""


class GivenUp(Exception):
    """Nothing could be sent for as long as was to be waited."""


async def watch(settings: Settings, teller: Teller) -> int:
    """Watch as the settings say; return how many files were not sent.

    Raises ManifestUnusable, NoEvent, GivenUp, and Shut where that is not waited out.
    """
    assert settings.access is not None  # noqa: S101 - checked with the settings
    async with new_client(settings.access, parallel=settings.parallel) as client:
        with Manifest.open(settings.state) as manifest:
            watching = Watching(
                settings, server=Server(settings.access, client), manifest=manifest, teller=teller
            )
            if settings.agent_label is not None:
                await watching.as_agent(settings.agent_label)
                return 0
            return await watching.one_folder()


class Watching:
    """What one run of the program has for all folders."""

    def __init__(
        self, settings: Settings, *, server: Server, manifest: Manifest, teller: Teller
    ) -> None:
        self._settings = settings
        self._server = server
        self._manifest = manifest
        self._teller = teller
        self._turns = Turns(settings.parallel)

    async def as_agent(self, label: str) -> None:
        """Watch what the server names for this machine, until cancelled."""
        agent = Agent(
            label,
            self._settings.template,
            server=self._server,
            new_watch=self._new_watch,
            teller=self._teller,
        )
        await agent.run()

    async def one_folder(self) -> int:
        """Watch the folder that was named; return how many of its files were not sent."""
        give_up = self._settings.give_up_seconds if self._settings.template.once else None
        work = asyncio.create_task(self._one_folder())
        try:
            while not work.done():
                await asyncio.wait([work], timeout=give_up)
                if give_up is not None and self._turns.silent_seconds > give_up and not work.done():
                    msg = f"Nothing could be sent for {give_up:g} s. What is left waits."
                    raise GivenUp(msg)
            return work.result()
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    async def _one_folder(self) -> int:
        job = self._settings.template
        event_id = self._settings.event_id or await self._only_event()
        watch = self._new_watch(replace(job, event_id=event_id))
        await watch.run()
        for path, reason in watch.not_sent.items():
            self._teller.tell(Event(What.NOT_SENT, path, reason))
        self._teller.tell(
            Event(What.DONE, more={"not_sent": len(watch.not_sent), "ignored": watch.ignored})
        )
        return len(watch.not_sent) + (watch.problem is not None)

    async def _only_event(self) -> int:
        """Return the one event that we may send to. Raises NoEvent for none, and for several."""
        told = None
        while True:
            try:
                found = await self._server.events()
                break
            except (NotNow, Stumbled) as error:
                if told != str(error):
                    told = str(error)
                    seconds = f"{_ASK_AGAIN_SECONDS:.0f} s"
                    reason = f"{told} Asking again every {seconds} which event it is."
                    self._teller.tell(Event(What.PAUSED, reason=reason))
                await asyncio.sleep(_ASK_AGAIN_SECONDS)
        if len(found) == 1:
            self._teller.tell(Event(What.NOTICE, reason=f"Photos go to {found[0].name}."))
            return found[0].id
        if not found:
            raise NoEvent("There is no open event that you may send photos to.")
        listed = ", ".join(f"{one.id} ({one.name})" for one in found)
        msg = f"There are several events. Name one by --event: {listed}."
        raise NoEvent(msg)

    def _new_watch(self, job: Job) -> FolderWatch:
        destination = self._manifest.destination(self._server.url, job.event_id)
        if self._settings.retry_refused:
            destination.forget_refusals()
        delivery = Delivery(
            Target(self._server, destination, job.event_id, job.watcher_id),
            waits_for_door=not job.once,
            turns=self._turns,
            teller=self._teller,
        )
        left_out = (self._settings.state.parent,) if _holds(job, self._settings.state) else ()
        return FolderWatch(
            replace(job, what=replace(job.what, left_out=left_out)),
            destination=destination,
            delivery=delivery,
            teller=self._teller,
        )


def _holds(job: Job, state: Path) -> bool:
    """Whether the list of what was sent lies in the folder: each line in it would be a change."""
    return state.parent != job.folder and state.is_relative_to(job.folder)
