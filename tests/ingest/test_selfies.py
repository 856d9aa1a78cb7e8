import asyncio
import contextlib
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from libs.common.consent import VERSION
from libs.common.database.tables import consents, matches, memberships, selfie_indexes, selfies
from libs.common.errors import Unavailable
from libs.common.face_check import FACE_CHECK_PATH, FaceVerdict
from libs.common.web.auth import Role
from libs.common.web.internal import INTERNAL_TOKEN_HEADER, verify_internal_token
from services.ingest.app import create_app
from services.ingest.selfies.receive_selfie import SelfieFace
from tests.ingest.conftest import NO_FACE, Ingest
from tests.support.http_server import calling
from tests.support.image_files import image_file, large_jpeg, png_of_claimed_size
from tests.support.people import KEYS
from tests.support.raw_files import cr3

SELFIE = image_file(seed=1)
URL = "/api/upload-selfie"


async def upload(
    ingest: Ingest, user_id: int, content: bytes = SELFIE, *, add: bool = False
) -> httpx.Response:
    return await ingest.client.post(
        URL,
        params={"add": "true"} if add else {},
        headers=ingest.headers(user_id, Role.PARTICIPANT),
        files={"file": ("me.jpg", content, "image/jpeg")},
    )


async def rows(ingest: Ingest, table: Any) -> list[Any]:
    async with ingest.resources.database.read() as connection:
        return list(await connection.execute(select(table)))


async def guest_of(ingest: Ingest, events: int) -> tuple[int, list[int]]:
    user_id = await ingest.world.user()
    event_ids = [await ingest.world.event() for _ in range(events)]
    for event_id in event_ids:
        await ingest.world.join(user_id, event_id)
    return user_id, event_ids


async def test_a_first_selfie_is_stored_and_announced_in_every_joined_event(
    ingest: Ingest,
) -> None:
    user_id, event_ids = await guest_of(ingest, 2)

    answer = await upload(ingest, user_id)

    [selfie] = await rows(ingest, selfies)
    assert answer.status_code == 200
    assert answer.json() == {
        "message": "Selfie uploaded. Your photos are being found.",
        "deleted": 0,
        "scheduled": True,
    }
    assert selfie.user_id == user_id
    assert selfie.consented_at is not None
    assert await ingest.resources.store.get(selfie.object_key) == SELFIE
    assert await ingest.messages() == [
        (
            "selfie.uploaded",
            {"version": 1, "event_id": event_id, "user_id": user_id, "selfie_id": selfie.id},
        )
        for event_id in event_ids
    ]


async def test_a_selfie_is_a_consent_to_the_present_text_and_to_no_other(ingest: Ingest) -> None:
    user_id, _ = await guest_of(ingest, 1)

    async def send(**params: str) -> httpx.Response:
        headers = ingest.headers(user_id, Role.PARTICIPANT) | {"Accept-Language": "fr-CH"}
        file = {"file": ("me.jpg", SELFIE, "image/jpeg")}
        return await ingest.client.post(URL, params=params, headers=headers, files=file)

    outdated = await send(consent_version="2020-01-01")
    assert outdated.status_code == 409
    assert "/api/consent" in outdated.json()["detail"]
    assert await rows(ingest, selfies) == await rows(ingest, consents) == []

    # The second is a client's that knows of no consent.
    for params in ({"consent_version": VERSION, "language": "en"}, {}):
        assert (await send(**params)).status_code == 200
    given = [(one.user_id, one.version, one.language) for one in await rows(ingest, consents)]
    assert given == [(user_id, VERSION, "en"), (user_id, VERSION, "fr")]


async def test_a_new_selfie_takes_the_old_one_with_its_matches_and_embeddings(
    ingest: Ingest,
) -> None:
    user_id, [event_id] = await guest_of(ingest, 1)
    other_id, _ = await guest_of(ingest, 0)
    old_id = await matched_selfie(ingest, user_id, event_id, photos=3)
    await matched_selfie(ingest, other_id, event_id, photos=2)

    answer = await upload(ingest, user_id)

    assert answer.json()["deleted"] == 3
    assert {row.user_id for row in await rows(ingest, matches)} == {other_id}
    assert {row.user_id for row in await rows(ingest, selfie_indexes)} == {other_id}
    mine = [row for row in await rows(ingest, selfies) if row.user_id == user_id]
    assert len(mine) == 1
    assert mine[0].id != old_id
    topics = [(topic, message["selfie_id"]) for topic, message in await ingest.messages()]
    assert topics == [("selfie.deleted", old_id), ("selfie.uploaded", mine[0].id)]


async def test_an_event_that_was_left_hears_of_the_selfies_end(ingest: Ingest) -> None:
    user_id, [left_id, joined_id] = await guest_of(ingest, 2)
    await matched_selfie(ingest, user_id, left_id, photos=1)
    async with ingest.resources.database.unit_of_work() as unit:
        await unit.connection.execute(memberships.delete().where(memberships.c.event_id == left_id))

    await upload(ingest, user_id)

    heard = [(topic, message["event_id"]) for topic, message in await ingest.messages()]
    assert heard == [
        ("selfie.deleted", left_id),
        ("selfie.deleted", joined_id),
        ("selfie.uploaded", joined_id),
    ]


async def test_a_selfie_that_no_event_knows_is_announced_for_its_objects_sake(
    ingest: Ingest,
) -> None:
    user_id, _ = await guest_of(ingest, 0)
    await upload(ingest, user_id)
    [old] = await rows(ingest, selfies)

    await upload(ingest, user_id, image_file(seed=2))

    [(topic, message)] = await ingest.messages()
    assert (topic, message["object_key"]) == ("selfie.deleted", old.object_key)


async def test_selfies_sent_at_once_leave_exactly_one(ingest: Ingest) -> None:
    user_id, _ = await guest_of(ingest, 1)

    answers = await asyncio.gather(*(upload(ingest, user_id, image_file(seed=n)) for n in range(8)))

    assert {answer.status_code for answer in answers} == {200}
    [left] = await rows(ingest, selfies)
    messages = await ingest.messages()
    deleted = {m["selfie_id"] for topic, m in messages if topic == "selfie.deleted"}
    uploaded = {m["selfie_id"] for topic, m in messages if topic == "selfie.uploaded"}
    assert uploaded - deleted == {left.id}
    assert len(uploaded) == 8


async def test_further_selfies_leave_the_others_and_their_matches(ingest: Ingest) -> None:
    user_id, [event_id] = await guest_of(ingest, 1)
    first = await matched_selfie(ingest, user_id, event_id, photos=3)

    answer = await upload(ingest, user_id, add=True)

    assert (answer.status_code, answer.json()["deleted"]) == (200, 0)
    assert len(await rows(ingest, matches)) == 3
    ids = {row.id for row in await rows(ingest, selfies)}
    assert first in ids
    (new,) = ids - {first}
    assert [(topic, body["selfie_id"]) for topic, body in await ingest.messages()] == [
        ("selfie.uploaded", new)
    ]


async def test_of_many_selfies_added_at_once_five_are_kept_and_the_others_refused(
    ingest: Ingest,
) -> None:
    user_id, _ = await guest_of(ingest, 1)

    answers = await asyncio.gather(
        *(upload(ingest, user_id, image_file(seed=n), add=True) for n in range(8))
    )

    refused = [answer for answer in answers if answer.status_code != 200]
    assert [answer.status_code for answer in refused] == [400] * 3
    assert "Delete one" in refused[0].json()["detail"]
    assert len(await rows(ingest, selfies)) == len(await ingest.objects()) == 5


async def test_a_selfie_that_replaces_takes_all_others(ingest: Ingest) -> None:
    user_id, _ = await guest_of(ingest, 1)
    for seed in range(3):
        await upload(ingest, user_id, image_file(seed=seed), add=True)

    await upload(ingest, user_id, image_file(seed=9))

    assert len(await rows(ingest, selfies)) == 1
    topics = [topic for topic, _ in await ingest.messages()]
    assert topics.count("selfie.deleted") == 3


#: 38 bytes of WebP that would be 832 MB in a decoder's hands.
LOSSLESS_10_000 = b"RIFF\x1e\0\0\0WEBPVP8L\x11\0\0\0\x2f\x0f\xe7\xc3\x09" + bytes(13)
BAD_SELFIES = [
    (b"", "empty"),
    (b"<html>", "HTML files are not taken. Send a photo, as JPEG"),
    (SELFIE[:20], "cut off"),
    (png_of_claimed_size(60_000, 60_000), "pixels"),
    (png_of_claimed_size(5_001, 5_000), "at most 25 million"),
    (LOSSLESS_10_000, "10000 x 10000 pixels; at most 25 million"),
    (large_jpeg(25 * 1024 * 1024 + 1), "larger than 25 MB"),
    (large_jpeg(30 * 1024 * 1024), "larger than 25 MB"),
    (cr3(), "A camera's raw file cannot be taken as a selfie"),
]


async def test_a_selfie_of_twenty_five_megapixels_is_taken(ingest: Ingest) -> None:
    user_id, _ = await guest_of(ingest, 0)

    assert (await upload(ingest, user_id, png_of_claimed_size(5_000, 5_000))).status_code == 200


async def test_a_selfie_may_be_an_avif(ingest: Ingest) -> None:
    user_id, _ = await guest_of(ingest, 0)

    answer = await upload(ingest, user_id, image_file("AVIF", size=(320, 240)))

    assert answer.status_code == 200


@pytest.mark.parametrize(("content", "reason"), BAD_SELFIES, ids=lambda value: str(value[:16])[:16])
async def test_an_unusable_selfie_is_refused_and_the_old_one_stays(
    ingest: Ingest, content: bytes, reason: str
) -> None:
    user_id, _ = await guest_of(ingest, 1)
    await upload(ingest, user_id)

    answers = [
        await upload(ingest, user_id, content),
        await ingest.client.post("/api/validate-selfie", files={"file": ("me.jpg", content)}),
    ]

    for answer in answers:
        assert answer.status_code == 400
        assert reason in answer.json()["detail"]
    assert len(await rows(ingest, selfies)) == len(await ingest.objects()) == 1


async def test_a_selfie_without_a_face_is_refused_with_recognitions_sentence(
    ingest: Ingest,
) -> None:
    user_id, _ = await guest_of(ingest, 1)
    ingest.recognition.refused.add(SELFIE)

    answer = await upload(ingest, user_id)

    assert (answer.status_code, answer.json()) == (400, {"detail": NO_FACE})
    assert not await ingest.objects()


async def test_anybody_may_have_a_selfie_validated(ingest: Ingest) -> None:
    answer = await ingest.client.post("/api/validate-selfie", files={"file": ("me.jpg", SELFIE)})

    assert (answer.status_code, answer.json()) == (200, {"valid": True})
    assert not await ingest.objects()


async def test_a_form_without_a_selfie_is_refused(ingest: Ingest) -> None:
    answer = await ingest.client.post("/api/validate-selfie", files={"files": ("me.jpg", SELFIE)})

    assert answer.status_code == 400
    assert "`file`" in answer.json()["detail"]


async def test_who_may_not_upload_a_selfie_is_told_so(ingest: Ingest) -> None:
    photographer = await ingest.world.user("photographer")
    files = {"file": ("me.jpg", SELFIE)}

    anonymous = await ingest.client.post(URL, files=files)
    wrong_role = await ingest.client.post(URL, files=files, headers=ingest.headers(photographer))
    gone = await upload(ingest, 10**6)

    assert (anonymous.status_code, wrong_role.status_code, gone.status_code) == (401, 403, 401)
    assert anonymous.headers["www-authenticate"] == "Bearer"
    assert not await ingest.objects()


class Recognition(httpx.AsyncBaseTransport):
    """Recognition's end of the wire: answers what it was told, and keeps what it was asked."""

    def __init__(self, answer: httpx.Response | Exception) -> None:
        self._answer = answer
        self.asked: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        self.asked.append(request)
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


async def validate(ingest: Ingest, recognition: Recognition) -> httpx.Response:
    app = create_app(ingest.settings, ingest.resources, recognition_transport=recognition)
    async with calling(app) as client:
        return await client.post("/api/validate-selfie", files={"file": ("me.jpg", SELFIE)})


async def test_recognition_is_asked_with_the_bytes_and_our_token(ingest: Ingest) -> None:
    recognition = Recognition(httpx.Response(200, json={"valid": True}))

    answer = await validate(ingest, recognition)

    [asked] = recognition.asked
    assert answer.status_code == 200
    assert (asked.method, asked.url.path, asked.content) == ("POST", FACE_CHECK_PATH, SELFIE)
    assert asked.headers["content-type"] == "application/octet-stream"
    assert verify_internal_token(asked.headers[INTERNAL_TOKEN_HEADER], KEYS)


async def test_recognitions_no_is_the_guests_answer(ingest: Ingest) -> None:
    no = httpx.Response(200, json={"valid": False, "reason": "Two faces. Send one of you alone."})

    answer = await validate(ingest, Recognition(no))

    assert answer.status_code == 400
    assert answer.json() == {"detail": "Two faces. Send one of you alone."}


@pytest.mark.parametrize(
    "failure",
    [
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        httpx.Response(503, json={"detail": "busy"}),
        httpx.Response(200, content=b"<html>"),
    ],
    ids=["unreachable", "slow", "busy", "nonsense"],
)
async def test_without_recognition_the_guest_is_asked_to_come_back(
    ingest: Ingest, failure: httpx.Response | Exception
) -> None:
    answer = await validate(ingest, Recognition(failure))

    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) == Unavailable("").retry_after_seconds


async def test_an_embedding_is_not_logged_not_even_a_damaged_one(
    ingest: Ingest, caplog: pytest.LogCaptureFixture
) -> None:
    damaged = {"valid": True, "engine": "one", "embedding": "c2VjcmV0ZmFjZQ=*"}

    answer = await validate(ingest, Recognition(httpx.Response(200, json=damaged)))

    assert answer.status_code == 503
    assert "face_check_unavailable" in caplog.text
    assert "c2Vjc" not in caplog.text
    verdict = FaceVerdict(valid=True, engine="one", embedding=b"secret face=")
    for holder in (verdict, SelfieFace("one", b"secret face")):
        assert "secret" not in repr(holder)


async def matched_selfie(ingest: Ingest, user_id: int, event_id: int, *, photos: int) -> int:
    """A selfie that was indexed in the event and matched in so many photos."""
    selfie_id = await ingest.world.selfie(user_id, f"selfie of {user_id}", publish=False)
    photo_ids = [
        await ingest.world.photo(event_id, f"{user_id}/{n}", publish=False) for n in range(photos)
    ]
    await ingest.world.index(selfie_id, event_id, user_id, status="done")
    await ingest.world.match(user_id, event_id, photo_ids, selfie_id)
    return selfie_id


async def test_only_visitors_without_an_account_are_checked_behind_the_others(
    ingest: Ingest,
) -> None:
    user_id, _ = await guest_of(ingest, 0)

    await upload(ingest, user_id)
    await ingest.client.post("/api/validate-selfie", files={"file": SELFIE})

    assert ingest.recognition.asked_anonymously == [False, True]


async def test_visitors_who_take_all_their_turns_take_none_of_a_guest_s(ingest: Ingest) -> None:
    user_id, _ = await guest_of(ingest, 0)
    context = ingest.app.state.context

    async with contextlib.AsyncExitStack() as visitors:
        for number in range(ingest.settings.max_concurrent_selfies):
            turn = context.selfies.checked_of_strangers.turn(f"address {number}")
            await visitors.enter_async_context(turn)

        assert (await upload(ingest, user_id)).status_code == 200
