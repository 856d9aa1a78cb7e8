import io
import json
import zipfile
from typing import Any

import pytest

from libs.common.database.audit import Action, record
from libs.common.database.consents import give_consent
from libs.common.database.tables import metadata, users
from libs.common.resources import Resources
from libs.common.storage.keys import selfie_key
from libs.common.storage.protocol import StoreUnavailable
from services.gallery.export import archive, repository
from tests.gallery.world import World
from tests.support.people import Person
from tests.support.rows import new_filename


def store_of(world: World) -> Any:
    resources: Resources = world.app.state.resources
    return resources.store


async def picture(world: World, guest: Person, content: bytes) -> str:
    filename = new_filename()
    key = selfie_key(guest.id, filename)
    await store_of(world).put(key, content, content_type="image/jpeg")
    await world.insert_selfie(guest, filename=filename, engine="one", embedding=b"\x00face")
    return filename


async def export(world: World, person: Person) -> dict[str, bytes]:
    answer = await world.client.get("/api/me/export", headers=person.headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as found:
        assert found.testzip() is None
        return {name: found.read(name) for name in found.namelist()}


def test_every_table_is_told_or_left_out_for_a_reason() -> None:
    assert repository.tables_told() == set(metadata.tables)
    of_somebody = {table.name for table in metadata.tables.values() if "user_id" in table.c}
    assert not of_somebody & repository.NOT_PERSONAL


async def test_a_guest_gets_everything_about_themselves_and_nothing_of_others(
    world: World,
) -> None:
    photographer, admin = await world.photographer(), await world.admin()
    event_id = await world.event(photographer)
    guest, other = await world.person(joined=event_id), await world.person(joined=event_id)
    filename = await picture(world, guest, b"a selfie")
    others = await picture(world, other, b"another selfie")
    photo_id = await world.photo(event_id, photographer=photographer)
    for selfie in await repository.selfies_of(guest.id, world.database):
        await world.match(guest, event_id, [photo_id], selfie.id)
    async with world.database.unit_of_work() as unit:
        await give_consent(unit.connection, guest.id, version=None, language="fr", given_by="join")
        await record(unit.connection, Action.FACES_VIEWED, actor_id=admin.id, account_id=guest.id)
    files = await export(world, guest)
    assert files[f"selfies/{filename}"] == b"a selfie"
    told = {name: json.loads(files[name]) for name in files if name.endswith(".json")}
    (account,) = told["account.json"]
    assert (account["id"], account["username"]) == (guest.id, guest.name)
    assert [event["event_id"] for event in told["events.json"]] == [event_id]
    assert [photo["photo_id"] for photo in told["photos-of-you.json"]] == [photo_id]
    assert told["consents.json"][0]["language"] == "fr"
    assert told["selfies.json"][0]["embedding"] == "AGZhY2U="
    assert len(told["sessions.json"]) == 1
    actions = [(row["action"], row["by_you"]) for row in told["audit.json"]]
    assert actions == [("consent.given", True), ("faces.viewed", False), ("account.exported", True)]
    everything = b"".join(files.values())
    assert b"password_hash" not in everything
    assert others.encode() not in everything
    assert other.name.encode() not in everything


async def test_a_photographer_gets_their_events_and_uploads_in_files_of_a_bounded_size(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository, "CHUNK", 2)
    photographer = await world.photographer()
    event_id = await world.event(photographer)
    photos = [await world.photo(event_id, photographer=photographer) for _ in range(5)]
    files = await export(world, photographer)
    names = sorted(name for name in files if name.startswith("photos-you-uploaded"))
    assert len(names) == 3
    told = [row["id"] for name in names for row in json.loads(files[name])]
    assert sorted(told) == photos
    assert [event["id"] for event in json.loads(files["events-you-run.json"])] == [event_id]


async def test_a_selfie_that_cannot_be_read_is_tried_again_and_then_the_answer_breaks_off(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "PAUSE_SECONDS", 0.0)
    guest = await world.person()
    filename = await picture(world, guest, b"a selfie")
    store = store_of(world)
    failures = [1, 1]
    read = store.get

    async def failing(key: str) -> bytes:
        if failures:
            failures.pop()
            raise StoreUnavailable("away", retry_after_seconds=0)
        content: bytes = await read(key)
        return content

    monkeypatch.setattr(store, "get", failing)
    assert (await export(world, guest))[f"selfies/{filename}"] == b"a selfie"
    failures += [1, 1, 1]
    pieces = await archive.begin_export(guest.id, database=world.database, store=store)
    with pytest.raises(StoreUnavailable):
        async for _ in pieces:
            pass


async def test_a_store_that_is_away_is_said_before_anything_is_sent(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    guest = await world.person()
    await picture(world, guest, b"a selfie")

    async def away(_: str) -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr(store_of(world), "stat", away)
    answer = await world.client.get("/api/me/export", headers=guest.headers)
    assert answer.status_code == 503
    assert "retry-after" in answer.headers


async def test_a_selfie_whose_file_is_gone_is_named(world: World) -> None:
    guest = await world.person()
    await world.insert_selfie(guest, filename="gone.jpg")
    files = await export(world, guest)
    assert json.loads(files["missing.json"]) == {"selfies": ["gone.jpg"]}


async def test_who_is_gone_gets_nothing(world: World) -> None:
    guest = await world.person()
    await world.delete(users, guest.id)
    answer = await world.client.get("/api/me/export", headers=guest.headers)
    assert answer.status_code == 401
