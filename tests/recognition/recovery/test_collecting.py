"""What is counted of dead letters that are collected: once, and only once that is committed."""

from dataclasses import dataclass

import pytest

from libs.common.messaging.bus.protocol import Death, Delivery
from libs.common.messaging.dead_letters import repository
from libs.common.messaging.messages import Message, PhotoAnalyzed, PhotoUploaded, SelfieUploaded
from libs.common.telemetry.metrics import DEAD_LETTERS_COLLECTED
from services.recognition.metrics import PHOTOS, SELFIES_INDEXED
from services.recognition.recovery.collect_dead_letter import collect_dead_letter
from tests.support.conflicts import OneDeadlock
from tests.support.rows import Rows

LANE = "findme.analyze.00"


@dataclass(frozen=True)
class Counted:
    """Letters that were collected, and the photos and selfies that failed by it."""

    letters: float = 0
    photos: float = 0
    selfies: float = 0

    @classmethod
    def now(cls) -> "Counted":
        return cls(
            DEAD_LETTERS_COLLECTED.labels(LANE)._value.get(),
            PHOTOS.labels("failed")._value.get(),
            SELFIES_INDEXED.labels("failed")._value.get(),
        )

    def since(self, before: "Counted") -> "Counted":
        return Counted(
            self.letters - before.letters,
            self.photos - before.photos,
            self.selfies - before.selfies,
        )


def given_up(message: Message, *, crashed: bool) -> Delivery:
    sent = message.outgoing()
    return Delivery(
        "findme.dlq",
        sent.routing_key,
        sent.body,
        sent.message_id,
        1,
        redelivered=False,
        death=Death(LANE, "a test", 4, crashed=crashed),
    )


@pytest.mark.parametrize("status", ["queued", "analyzed"])
async def test_a_photo_whose_attempts_all_crashed_is_counted_as_failed_once(
    rows: Rows, status: str
) -> None:
    event = await rows.event()
    photo = await rows.insert_photo(event, processing_status=status)
    kind = PhotoUploaded if status == "queued" else PhotoAnalyzed
    letter = given_up(kind(event_id=event, photo_id=photo), crashed=True)
    before = Counted.now()
    for _ in range(2):
        await collect_dead_letter(letter, database=rows.database)
    assert Counted.now().since(before) == Counted(letters=1, photos=1)
    assert await rows.scalar("SELECT processing_status FROM photos") == "failed"


async def test_a_selfie_whose_attempts_all_crashed_is_counted_as_failed_once(rows: Rows) -> None:
    event = await rows.event()
    guest = await rows.person(joined=event)
    selfie = await rows.insert_selfie(guest)
    message = SelfieUploaded(event_id=event, user_id=guest.id, selfie_id=selfie)
    letter = given_up(message, crashed=True)
    before = Counted.now()
    for _ in range(2):
        await collect_dead_letter(letter, database=rows.database)
    assert Counted.now().since(before) == Counted(letters=1, selfies=1)


async def test_what_a_handler_gave_up_is_counted_as_a_letter_alone(rows: Rows) -> None:
    event = await rows.event()
    photo = await rows.insert_photo(event)
    before = Counted.now()
    letter = given_up(PhotoUploaded(event_id=event, photo_id=photo), crashed=False)
    await collect_dead_letter(letter, database=rows.database)
    assert Counted.now().since(before) == Counted(letters=1)


async def test_a_photo_that_was_finished_meanwhile_is_not_counted_as_failed(rows: Rows) -> None:
    event = await rows.event()
    photo = await rows.insert_photo(event, processing_status="done")
    before = Counted.now()
    letter = given_up(PhotoUploaded(event_id=event, photo_id=photo), crashed=True)
    await collect_dead_letter(letter, database=rows.database)
    assert Counted.now().since(before) == Counted(letters=1)


async def test_a_letter_is_counted_once_though_a_conflict_ended_the_first_try(
    rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = await rows.event()
    photo = await rows.insert_photo(event)
    monkeypatch.setattr(repository, "add", OneDeadlock(repository.add))
    before = Counted.now()
    letter = given_up(PhotoUploaded(event_id=event, photo_id=photo), crashed=True)
    await collect_dead_letter(letter, database=rows.database)
    assert Counted.now().since(before) == Counted(letters=1, photos=1)


async def test_a_letter_that_cannot_be_stored_is_not_counted(
    rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> bool:
        raise ZeroDivisionError("nobody thought of this")

    event = await rows.event()
    photo = await rows.insert_photo(event)
    monkeypatch.setattr(repository, "add", broken)
    before = Counted.now()
    letter = given_up(PhotoUploaded(event_id=event, photo_id=photo), crashed=True)
    with pytest.raises(ZeroDivisionError):
        await collect_dead_letter(letter, database=rows.database)
    assert Counted.now().since(before) == Counted()
