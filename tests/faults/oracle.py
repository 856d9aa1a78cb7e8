"""Compares the final state with the truth, and says every difference in words."""

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import aio_pika
from sqlalchemy import text

from libs.common.database.database import Database
from libs.common.messaging.bus.rabbitmq.layout import layout
from libs.common.messaging.bus.topology import DEAD_LETTER_QUEUE, Topology
from services.recognition.engine.face_engine import to_bytes
from tests.faults.truth import Truth
from tests.support.engine_calls import EngineCall
from tests.support.polling import PATIENCE_SECONDS
from tests.support.scripted_engine import embedding_of

Rows = list[Any]


@dataclass(frozen=True)
class State:
    """What the database holds about the photos, the selfies and their messages."""

    photos: Rows
    faces: Rows
    matches: Rows
    selfies: Rows
    outbox: int
    dead_letters: Rows

    def statuses(self) -> str:
        """The state in one line, for the message of a wait."""
        photos = Counter(row.processing_status for row in self.photos)
        selfies = Counter(row.status for row in self.selfies)
        return (
            f"photos {dict(photos)}, selfies {dict(selfies)}, outbox {self.outbox},"
            f" dead letters {[(row.queue, row.reason) for row in self.dead_letters]}"
        )

    def photo(self, name: str) -> Any:
        """The row of a photo that was sent once."""
        (row,) = (row for row in self.photos if row.original_filename == name)
        return row

    def without(self, name: str) -> "State":
        """The same without a photo and all dead letters, for what is true of the others."""
        return replace(
            self,
            photos=[row for row in self.photos if row.original_filename != name],
            dead_letters=[],
        )

    def is_settled(self, photos: int, selfies: int) -> bool:
        """Whether that many photos and selfies have come to their end, with nothing to send."""
        return (
            sum(row.processing_status in ("done", "failed") for row in self.photos) == photos
            and sum(row.status in ("done", "failed") for row in self.selfies) == selfies
            and self.outbox == 0
        )


async def read_state(database: Database) -> State:
    """Read everything; the tables are small here."""
    async with database.read() as connection:

        async def rows(sql: str) -> Rows:
            return list((await connection.execute(text(sql))).all())

        return State(
            photos=await rows("SELECT * FROM photos ORDER BY id"),
            faces=await rows(
                "SELECT f.*, p.original_filename AS name FROM faces f"
                " JOIN photos p ON p.id = f.photo_id ORDER BY f.photo_id, f.position"
            ),
            matches=await rows(
                "SELECT m.*, p.original_filename AS name, f.photo_id AS face_photo_id, f.embedding"
                " FROM matches m JOIN photos p ON p.id = m.photo_id"
                " LEFT JOIN faces f ON f.id = m.face_id"
            ),
            selfies=await rows(
                "SELECT i.*, s.id AS live_id FROM selfie_indexes i"
                " LEFT JOIN selfies s ON s.id = i.selfie_id"
            ),
            outbox=len(await rows("SELECT id FROM outbox")),
            dead_letters=await rows("SELECT * FROM dead_letters"),
        )


async def queue_depths(amqp_url: str, topology: Topology) -> dict[str, int]:
    """Return the messages of every queue that has some, what waits for a retry included.

    Exact once the consumers have stopped: what one holds unacknowledged is not counted.
    """
    depths = {}
    async with (
        await aio_pika.connect(amqp_url, timeout=PATIENCE_SECONDS) as connection,
        connection.channel() as channel,
    ):
        for queue in layout(topology).queues:
            found = await channel.declare_queue(queue.name, passive=True, timeout=PATIENCE_SECONDS)
            depths[queue.name] = found.declaration_result.message_count or 0
    return {name: depth for name, depth in depths.items() if depth}


def differences(state: State, truth: Truth) -> list[str]:
    """Every way in which the state is not what follows from the truth; best none."""
    return [
        *_photo_differences(state, truth),
        *_face_differences(state, truth),
        *_match_differences(state, truth),
        *_selfie_differences(state, truth),
        *(f"{state.outbox} messages are left in the outbox" for _ in range(bool(state.outbox))),
        *(
            f"given up: {row.routing_key} {row.body!r} of {row.queue}: {row.reason}"
            for row in state.dead_letters
        ),
    ]


def dead_letters_in(depths: dict[str, int]) -> int:
    """How many messages wait in the dead-letter queue."""
    return depths.get(DEAD_LETTER_QUEUE, 0)


def indexed_again(calls: Iterable[EngineCall], truth: Truth) -> list[str]:
    """Name every selfie that was computed more often than once per event of its guest."""
    allowed = {f"selfie-{guest.user_id}": len(guest.event_ids) for guest in truth.guests}
    made = Counter(
        call.name for call in calls if call.name.startswith("selfie-") and not call.is_check
    )
    return sorted(
        name
        for name, count in made.items()
        if count > allowed[name.rpartition("-")[0]]
        for _ in range(count - allowed[name.rpartition("-")[0]])
    )


def indexed_besides_checks(calls: Iterable[EngineCall]) -> list[str]:
    """Name every selfie that was computed once more after its check had found the face.

    Of selfies that ingest took: whatever strikes, what its check found is stored with the row.
    """
    return sorted(
        call.name for call in calls if call.name.startswith("selfie-") and not call.is_check
    )


def handled_concurrently(calls: Iterable[EngineCall]) -> list[str]:
    """Name every photo that two workers had in hand at the same moment."""
    by_name: dict[str, list[EngineCall]] = defaultdict(list)
    for call in calls:
        by_name[call.name].append(call)
    return sorted(
        name
        for name, own in by_name.items()
        if any(first.overlaps(second) for first, second in itertools.pairwise(own))
    )


def _photo_differences(state: State, truth: Truth) -> list[str]:
    rows = Counter(row.original_filename for row in state.photos)
    wanted = {photo.name for photo in truth.photos}
    return [
        *(f"{name} was accepted and has no row" for name in sorted(wanted - rows.keys())),
        *(f"{name} was never sent" for name in sorted(rows.keys() - wanted)),
        *(f"{name} has {count} rows" for name, count in sorted(rows.items()) if count > 1),
        *(
            f"{row.original_filename} is {row.processing_status}: {row.processing_error}"
            for row in state.photos
            if row.processing_status != "done"
        ),
    ]


def _face_differences(state: State, truth: Truth) -> list[str]:
    found: dict[str, list[bytes]] = defaultdict(list)
    for row in state.faces:
        found[row.name].append(row.embedding)
    return [
        f"{photo.name} has other faces than those of {photo.people}"
        for photo in truth.photos
        if found[photo.name] != [_embedding(person) for person in photo.people]
    ]


def _match_differences(state: State, truth: Truth) -> list[str]:
    found = {(row.user_id, row.event_id, row.name) for row in state.matches}
    wanted = truth.matches()
    person = {guest.user_id: guest.person for guest in truth.guests}
    return [
        *(f"no match {match}" for match in sorted(wanted - found)),
        *(f"false match {match}" for match in sorted(found - wanted)),
        *(
            f"match of user {row.user_id} in {row.name} points at another face"
            for row in state.matches
            if row.face_photo_id != row.photo_id
            or row.embedding != _embedding(person.get(row.user_id, 0))
        ),
    ]


def _selfie_differences(state: State, truth: Truth) -> list[str]:
    found = Counter((row.user_id, row.event_id) for row in state.selfies)
    wanted = Counter(
        (guest.user_id, event_id) for guest in truth.guests for event_id in guest.event_ids
    )
    matches = Counter((row.user_id, row.event_id) for row in state.matches)
    return [
        *(f"selfie of (user, event) {key} is not indexed" for key in sorted(wanted - found)),
        *(f"selfie of (user, event) {key} is indexed too often" for key in sorted(found - wanted)),
        *(
            f"selfie of user {row.user_id} in event {row.event_id} is {row.status}: {row.error}"
            for row in state.selfies
            if row.status != "done"
        ),
        *(
            f"selfie of user {row.user_id} in event {row.event_id} claims {row.matched} matches"
            for row in state.selfies
            if row.matched > matches[row.user_id, row.event_id]
        ),
    ]


def _embedding(person: int) -> bytes:
    return to_bytes(embedding_of(person))
