"""Match an analysed photo's faces with the event's selfies, or all of an event again.

What has been matched is marked as done, and the guests are told.

The faces were committed before this looks at the selfies, and a selfie's embedding is
committed before its own scan looks at the faces: whichever commits later sees the other.
"""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from libs.common.database.database import Database
from libs.common.database.transactions import UnitOfWork
from libs.common.messaging.messages import (
    PhotoAnalyzed,
    PhotoMatched,
    RematchRequested,
    SelfieMatched,
)
from libs.common.rights.counted_matches import UNCERTAIN_BAND
from libs.common.rights.event_ends import find_state
from libs.common.telemetry import tracing
from services.recognition import metrics
from services.recognition.indexes.embedded import repository as face_sets
from services.recognition.indexes.face_index import FaceIndex
from services.recognition.matching import repository as stored_matches
from services.recognition.matching.compare import Match
from services.recognition.matching.uncertain import Floors, UncertainMatches
from services.recognition.photos import repository
from services.recognition.photos.repository import PhotoRow
from services.recognition.selfies import repository as selfie_repository

#: Selfies, with a message to each guest, of one transaction.
SELFIES_AT_ONCE = 1_000
#: Selfies whose surplus is deleted by one transaction, which locks the threshold: some 50 ms.
SURPLUS_AT_ONCE = 100
#: Photos whose matches are deleted by one transaction, which locks them.
PHOTOS_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Matcher:
    """The collaborators of the matching use cases."""

    database: Database
    index: FaceIndex
    uncertain: UncertainMatches = field(default_factory=UncertainMatches)

    async def least_similarity(self, event_id: int) -> float:
        """Return the similarity from which a match is kept in this event."""
        async with self.database.read() as connection:
            return await stored_matches.least_similarity(connection, event_id)

    def worth_keeping(self, event_id: int, found: Sequence[Match], *, least: float) -> list[Match]:
        """Return those that are kept of the matches from `least` on."""
        return self.uncertain.worth_keeping(event_id, found, threshold=least + UNCERTAIN_BAND)

    async def keep(self, event_id: int, found: Sequence[Match], *, least: float) -> None:
        """Write what is kept of the matches from `least` on, in a transaction of its own."""
        worth = self.worth_keeping(event_id, found, least=least)
        if worth:
            async for attempt in self.database.attempts():
                async with attempt as unit:
                    await stored_matches.upsert(unit.connection, event_id, worth)
        await self.drop_surplus(event_id)

    async def drop_surplus(self, event_id: int) -> None:
        """Delete uncertain matches that are not among the best of their selfies.

        By itself, as it locks the threshold.
        """
        grown = self.uncertain.grown(event_id)
        for first in range(0, len(grown), SURPLUS_AT_ONCE):
            selfie_ids = grown[first : first + SURPLUS_AT_ONCE]
            floors: Floors | None = None
            async for attempt in self.database.attempts():
                async with attempt as unit:
                    floors = await stored_matches.drop_surplus(
                        unit.connection, event_id, selfie_ids, kept=self.uncertain.kept
                    )
            if floors is not None:
                self.uncertain.note(event_id, selfie_ids, floors)


async def match_photos(messages: Sequence[PhotoAnalyzed], *, using: Matcher) -> None:
    """Write the photos' matches and mark them done; a second run changes nothing.

    Those of an event are one transaction: all of them are done then, or none.
    """
    tracing.set_attributes(engine=using.index.name)
    if len(messages) == 1:
        tracing.set_attributes(event_id=messages[0].event_id, photo_id=messages[0].photo_id)
    async with using.database.read() as connection:
        photos = await repository.find_photos(
            connection, [message.photo_id for message in messages]
        )
    waiting: defaultdict[int, list[PhotoRow]] = defaultdict(list)
    for photo in photos:
        # One of another engine: a replica that is newer or older is at work. See `reindex`.
        if not photo.is_over and photo.waits_for(using.index.name):
            waiting[photo.event_id].append(photo)
    for event_id, of_event in waiting.items():
        await _match_photos(event_id, of_event, using)


async def _match_photos(event_id: int, photos: Sequence[PhotoRow], using: Matcher) -> None:
    least = await using.least_similarity(event_id)
    with tracing.detail("match"):
        async with aclosing(
            using.index.match(event_id, photo_ids=[photo.id for photo in photos], threshold=least)
        ) as matching:
            found = [match async for some in matching for match in some]
    worth = using.worth_keeping(event_id, found, least=least)
    finished = FinishedPhotos()
    async for attempt in using.database.attempts():
        async with attempt as unit:
            await stored_matches.upsert(unit.connection, event_id, worth)
            finished = await finish_photos(photos, unit=unit)
    finished.count()
    await using.drop_surplus(event_id)


async def rematch_event(message: RematchRequested, *, using: Matcher) -> None:
    """Match all selfies of the event with all its faces, for a new threshold or a repair.

    Writes what is to be kept by now, removes what is below, and tells every guest.
    """
    event_id = message.event_id
    async with using.database.read() as connection:
        state = await find_state(connection, event_id)
    if state is None or state.is_over or state.is_erased:
        # One that is prolonged asks for another.
        return
    using.uncertain.forget(event_id)
    least = await using.least_similarity(event_id)
    async with using.database.read() as connection:
        selfie_ids = await face_sets.live_selfie_ids(connection, event_id, engine=using.index.name)
    # Closed when a transaction fails, so that the scan's connection is free at once.
    async with aclosing(
        using.index.match(event_id, selfie_ids=selfie_ids, threshold=least)
    ) as matching:
        async for found in matching:
            await using.keep(event_id, found, least=least)
    last: int | None = 0
    while last is not None:
        async for attempt in using.database.attempts():
            async with attempt as unit:
                after = await stored_matches.delete_below(
                    unit.connection, event_id, least, after=last, photos=PHOTOS_AT_ONCE
                )
        last = after
    for first in range(0, len(selfie_ids), SELFIES_AT_ONCE):
        chunk = selfie_ids[first : first + SELFIES_AT_ONCE]
        async for attempt in using.database.attempts():
            async with attempt as unit:
                await finish_selfies(event_id, chunk, unit=unit)


@dataclass(frozen=True, slots=True)
class FinishedPhotos:
    """What metrics count of photos that were finished, once that is committed."""

    matches: int = 0
    latencies_seconds: tuple[float, ...] = ()

    def count(self) -> None:
        """Count it; of a transaction that is repeated, once."""
        metrics.MATCHES.inc(self.matches)
        for seconds in self.latencies_seconds:
            metrics.MATCH_LATENCY.observe(seconds)


async def finish_photos(photos: Sequence[PhotoRow], *, unit: UnitOfWork) -> FinishedPhotos:
    """Mark an event's photos done; a second time changes nothing but tells everybody again.

    They are marked before outdated matches are deleted: of a photo and a selfie that are finished
    at the same time, the later one sees that the other is (see `finish_selfies`).
    The caller counts what is returned after the commit.
    """
    if not photos:
        return FinishedPhotos()
    event_id, photo_ids = photos[0].event_id, [photo.id for photo in photos]
    await repository.mark_photos_done(unit.connection, photo_ids)
    lost: dict[int, set[int]] = {}
    if known := [photo.id for photo in photos if photo.is_known]:
        lost = await stored_matches.delete_outdated_of_photos(unit.connection, event_id, known)
    guests = await stored_matches.guests_in_photos(unit.connection, event_id, photo_ids)
    ages = await repository.seconds_since_upload(unit.connection, photo_ids)
    for photo in photos:
        users = tuple(sorted(guests.get(photo.id, set()) | lost.get(photo.id, set())))
        # Photos that are matched together have a trace each.
        with tracing.joined("match", photo.traceparent, pending=unit.spans):
            tracing.set_attributes(event_id=photo.event_id, photo_id=photo.id, matches=len(users))
            unit.publish(
                PhotoMatched(
                    event_id=photo.event_id,
                    photo_id=photo.id,
                    user_ids=users,
                    is_first_match=not photo.is_known,
                )
            )
    return FinishedPhotos(
        matches=sum(map(len, guests.values())),
        latencies_seconds=tuple(
            ages[photo.id] for photo in photos if photo.id in ages and not photo.is_known
        ),
    )


async def finish_selfies(event_id: int, selfie_ids: Sequence[int], *, unit: UnitOfWork) -> None:
    """Mark the selfies done, with what they are matched with; those that are gone are left out."""
    if not selfie_ids:
        return
    await stored_matches.hold_unfinished_photos(unit.connection, event_id, selfie_ids)
    await stored_matches.delete_outdated_of_selfies(unit.connection, event_id, selfie_ids)
    for done in await selfie_repository.finish_selfies(unit.connection, event_id, selfie_ids):
        unit.publish(
            SelfieMatched(
                event_id=event_id,
                user_id=done.user_id,
                selfie_id=done.selfie_id,
                matched=done.matched,
            )
        )
