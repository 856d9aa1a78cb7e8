"""Guests who register together with a selfie: both are there afterwards, or neither is."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from libs.common.database.tables import audit, events, memberships, selfies, users
from libs.common.storage.protocol import ObjectStore
from libs.common.web.internal import INTERNAL_TOKEN_HEADER, internal_token
from services.gallery.app import create_app as create_gallery
from services.gallery.settings import GallerySettings
from services.ingest.settings import IngestSettings
from tests.ingest.conftest import NO_FACE, Ingest, running_ingest
from tests.support.full_store import FullStore
from tests.support.image_files import image_file
from tests.support.people import KEYS
from tests.support.settings import settings_of

URL = "/api/register-invite-with-selfie"
CODE = "PARTY7"
ZOE = {
    "username": "zoe",
    "email": "zoe@example.org",
    "password": "Correct-Horse-7",
    "event_code": CODE,
}
SELFIE = image_file(size=(640, 480))


@pytest.fixture
async def ingest(settings: IngestSettings, store: ObjectStore) -> AsyncIterator[Ingest]:
    of_gallery = settings_of(GallerySettings, settings.database_url)
    async with running_ingest(
        settings, store, gallery_of=lambda resources: create_gallery(of_gallery, resources)
    ) as ingest:
        yield ingest


@pytest.fixture
async def event_id(ingest: Ingest) -> int:
    return await ingest.world.event(code=CODE)


async def register(
    ingest: Ingest, *, selfie: bytes | None = SELFIE, **changed: str | None
) -> httpx.Response:
    fields = {name: value for name, value in (ZOE | changed).items() if value is not None}
    files = {} if selfie is None else {"file": ("me.jpg", selfie, "image/jpeg")}
    # Files alone make httpx send a form with a boundary.
    parts: list[tuple[str, Any]] = [(name, (None, value)) for name, value in fields.items()]
    return await ingest.client.post(URL, files=[*parts, *files.items()])


async def rows(ingest: Ingest, *columns: Any) -> list[Any]:
    async with ingest.resources.database.read() as connection:
        return list(await connection.execute(select(*columns)))


async def nothing_is_left(ingest: Ingest) -> bool:
    counts = [await rows(ingest, table) for table in (users, memberships, selfies)]
    return not any(counts) and not await ingest.objects()


async def test_an_account_and_its_selfie_are_made_and_the_selfie_is_matched(
    ingest: Ingest, event_id: int
) -> None:
    answer = await register(ingest)

    assert answer.status_code == 200, answer.text
    user = answer.json()
    assert set(user) == {
        "id", "username", "email", "user_type", "is_active", "created_at", "selfie_path",
        "event_id", "event_name", "event_code", "event_date",
    }  # fmt: skip
    assert (user["username"], user["email"], user["user_type"]) == ("zoe", ZOE["email"], "user")
    assert user["selfie_path"] == f"/api/selfie/{user['id']}"
    assert (user["event_id"], user["event_code"]) == (event_id, CODE)
    [selfie] = await rows(ingest, selfies.c.id, selfies.c.user_id, selfies.c.object_key)
    assert selfie.user_id == user["id"]
    assert await ingest.resources.store.get(selfie.object_key) == SELFIE
    assert [topic for topic, _ in await ingest.messages()] == ["selfie.uploaded"]
    [message] = [content for _, content in await ingest.messages()]
    assert (message["event_id"], message["selfie_id"]) == (event_id, selfie.id)


async def test_the_fields_may_come_after_the_file(ingest: Ingest, event_id: int) -> None:
    parts: list[tuple[str, Any]] = [("file", ("me.jpg", SELFIE, "image/jpeg"))]
    parts += [(name, (None, value)) for name, value in ZOE.items()]

    assert (await ingest.client.post(URL, files=parts)).status_code == 200


async def test_a_selfie_that_is_refused_leaves_nothing(ingest: Ingest, event_id: int) -> None:
    ingest.recognition.refused.add(SELFIE)

    no_face = await register(ingest)
    no_image = await register(ingest, selfie=b"not an image")
    too_large = await register(ingest, selfie=b"x" * (ingest.settings.max_selfie_bytes + 1))

    assert (no_face.status_code, no_face.json()) == (400, {"detail": NO_FACE})
    assert (no_image.status_code, too_large.status_code) == (400, 400)
    assert "5 MB" in too_large.json()["detail"]
    assert await nothing_is_left(ingest)


async def test_an_account_that_is_refused_leaves_nothing_and_costs_no_look_at_the_picture(
    ingest: Ingest, event_id: int
) -> None:
    ingest.recognition.refused.add(SELFIE)  # it would be told of first if it was looked at
    unknown = await register(ingest, event_code="NOSUCH")
    weak = await register(ingest, password="short", email="no address")
    await ingest.world.execute(
        events.update().values(expires_at=datetime.now(UTC) - timedelta(days=1))
    )
    over = await register(ingest)

    assert unknown.status_code == 404
    assert weak.status_code == 400
    assert "; " in weak.json()["detail"]
    assert "email" in weak.json()["detail"]
    assert over.status_code in (404, 410)
    assert await nothing_is_left(ingest)


async def test_a_name_that_is_taken_is_refused_and_keeps_its_owners_selfie(
    ingest: Ingest, event_id: int
) -> None:
    await register(ingest)
    again = await register(ingest, email="other@example.org")

    assert again.status_code == 400
    assert "taken" in again.json()["detail"]
    assert len(await rows(ingest, users.c.id)) == len(await rows(ingest, selfies.c.id)) == 1


@pytest.mark.parametrize("missing", [*ZOE, "file"])
async def test_what_the_form_lacks_is_named(ingest: Ingest, event_id: int, missing: str) -> None:
    lacking: dict[str, Any] = {"selfie": None} if missing == "file" else {missing: None}
    answer = await register(ingest, **lacking)

    assert answer.status_code == 400
    assert missing in answer.json()["detail"]


@pytest.mark.parametrize("odd", ["a\x00b", "x" * 20_000])
async def test_fields_that_are_no_text_are_refused(ingest: Ingest, event_id: int, odd: str) -> None:
    answer = await register(ingest, username=odd)

    assert answer.status_code == 400
    assert await nothing_is_left(ingest)


async def test_where_the_selfie_cannot_be_kept_the_account_is_taken_back(
    ingest: Ingest, event_id: int
) -> None:
    context = ingest.app.state.context
    broken = replace(context.resources, store=FullStore(context.resources.store))
    ingest.app.state.context = replace(context, resources=broken)

    failed = await register(ingest)
    assert failed.status_code == 503
    assert await nothing_is_left(ingest)

    ingest.app.state.context = context
    assert (await register(ingest)).status_code == 200


async def test_where_the_gallery_is_away_guests_are_asked_to_come_back(
    settings: IngestSettings, store: ObjectStore
) -> None:
    away = settings.model_copy(update={"gallery_url": "http://127.0.0.1:9"})
    async with running_ingest(away, store) as ingest:
        answer = await register(ingest)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0


async def test_the_guests_address_is_in_the_audit_not_the_services(
    ingest: Ingest, event_id: int
) -> None:
    transport = httpx.ASGITransport(ingest.app, client=("198.51.100.77", 40_000))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        parts: list[tuple[str, Any]] = [(name, (None, value)) for name, value in ZOE.items()]
        parts.append(("file", ("me.jpg", SELFIE, "image/jpeg")))
        assert (await client.post(URL, files=parts)).status_code == 200
    made = [row.address for row in await rows(ingest, audit.c.action, audit.c.address)]
    assert made
    assert all(address.startswith("198.51.100.") for address in made)


async def test_only_our_own_services_make_and_take_back_accounts(
    ingest: Ingest, event_id: int
) -> None:
    made = (await register(ingest)).json()
    # The gallery by the way that ingest takes.
    gallery = ingest.app.state.context.accounts._client
    path = f"/internal/registrations/{made['id']}"
    for token in ("", "another"):
        answer = await gallery.delete(path, headers={INTERNAL_TOKEN_HEADER: token})
        assert answer.status_code == 403
    await ingest.world.execute(
        users.update().values(created_at=datetime.now(UTC) - timedelta(hours=1))
    )
    right = {INTERNAL_TOKEN_HEADER: internal_token(KEYS)}
    assert (await gallery.delete(path, headers=right)).status_code == 404
    assert len(await rows(ingest, users.c.id)) == 1
