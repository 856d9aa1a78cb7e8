"""Folder watchers, as their program and the older admin's page use them."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from libs.common.database.tables import audit, events, watchers
from libs.common.web.auth import Role
from services.ingest.watchers.changes import MAX_WATCHERS_PER_EVENT
from tests.ingest.conftest import Gallery, Ingest, new_gallery
from tests.ingest.test_api_keys import by_header, key_for
from tests.support.image_files import image_file

URL = "/api/admin/local-watchers"
KEYS = {
    "id", "event_id", "event_name", "label", "machine_label", "expected_path",
    "move_uploaded_dir", "listening", "status", "last_error", "created_at", "updated_at", "stats",
}  # fmt: skip


async def make(gallery: Gallery, **values: object) -> int:
    answer = await gallery.ingest.client.post(
        URL, headers=gallery.headers, json={"event_id": gallery.event_id, **values}
    )
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {"id"}
    watcher_id: int = answer.json()["id"]
    return watcher_id


async def listed(
    ingest: Ingest, headers: dict[str, str], **query: str | int
) -> list[dict[str, Any]]:
    answer = await ingest.client.get(URL, headers=headers, params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


async def test_who_makes_changes_and_removes_a_watcher_is_recorded(gallery: Gallery) -> None:
    ingest, headers = gallery.ingest, gallery.headers
    watcher_id = await make(gallery, label="Main camera")
    await ingest.client.put(f"{URL}/{watcher_id}", headers=headers, json={"listening": False})
    await ingest.client.delete(f"{URL}/{watcher_id}", headers=headers)
    await ingest.client.delete(f"{URL}/{watcher_id}", headers=headers)

    async with ingest.resources.database.read() as connection:
        recorded = await connection.execute(
            select(audit.c.action, audit.c.actor_id, audit.c.event_id, audit.c.object_id)
            .where(audit.c.action.startswith("watcher."))
            .order_by(audit.c.id)
        )
        assert [tuple(row) for row in recorded] == [
            (f"watcher.{what}", gallery.photographer_id, gallery.event_id, watcher_id)
            for what in ("created", "changed", "deleted")
        ]


async def test_a_watcher_is_made_listed_changed_and_deleted(gallery: Gallery) -> None:
    ingest, headers = gallery.ingest, gallery.headers
    watcher_id = await make(
        gallery, label="Main camera", machine_label="studio-pc", expected_path="C:\\Photos"
    )

    [watcher] = await listed(ingest, headers)
    assert set(watcher) == KEYS
    assert watcher["id"] == watcher_id
    assert watcher["event_name"].startswith("Event ")
    assert watcher["expected_path"] == "C:\\Photos"
    assert watcher["move_uploaded_dir"] is None
    assert (watcher["listening"], watcher["status"], watcher["last_error"]) == (True, "idle", None)
    assert watcher["stats"] == {"ingested": 0, "failed": 0, "total": 0}

    changed = await ingest.client.put(
        f"{URL}/{watcher_id}",
        headers=headers,
        json={"label": None, "move_uploaded_dir": "sent", "listening": False},
    )
    assert changed.json() == {"updated": True}
    [watcher] = await listed(ingest, headers)
    assert (watcher["label"], watcher["move_uploaded_dir"]) == ("Main camera", "sent")
    assert (watcher["listening"], watcher["status"]) == (False, "stopped")
    assert watcher["updated_at"] > watcher["created_at"]

    deleted = await ingest.client.delete(f"{URL}/{watcher_id}", headers=headers)
    assert deleted.json() == {"deleted": True}
    assert await listed(ingest, headers) == []
    again = await ingest.client.delete(f"{URL}/{watcher_id}", headers=headers)
    assert again.status_code == 404


async def test_lists_are_of_an_event_or_a_machine_newest_first(gallery: Gallery) -> None:
    ingest = gallery.ingest
    other = Gallery(
        ingest, await ingest.world.event(gallery.photographer_id), gallery.photographer_id
    )
    first = await make(gallery, machine_label="a")
    second = await make(gallery, machine_label="b")
    third = await make(other, machine_label="a")

    async def ids(**query: str | int) -> list[int]:
        return [one["id"] for one in await listed(ingest, gallery.headers, **query)]

    assert await ids() == [third, second, first]
    assert await ids(event_id=gallery.event_id) == [second, first]
    assert await ids(machine_label="a") == [third, first]
    assert await ids(machine_label="a", event_id=other.event_id) == [third]
    assert await ids(machine_label="c") == []


async def test_uploads_count_whether_the_form_names_the_watcher_first_or_last(
    gallery: Gallery,
) -> None:
    ingest = gallery.ingest
    watcher_id = await make(gallery)
    field = ("watcher_id", (None, str(watcher_id)))
    good = ("files", ("a.jpg", image_file(seed=1), "image/jpeg"))
    bad = ("files", ("b.jpg", b"no", "image/jpeg"))

    async def send(*parts: Any) -> int:
        answer = await ingest.client.post(gallery.url, headers=gallery.headers, files=[*parts])
        return answer.status_code

    async def told() -> tuple[str, str | None, dict[str, int]]:
        [watcher] = await listed(ingest, gallery.headers)
        return watcher["status"], watcher["last_error"], watcher["stats"]

    assert await send(field, good) == 200
    assert await told() == ("active", None, {"ingested": 1, "failed": 0, "total": 1})
    assert await send(bad, field) == 400
    status, error, stats = await told()
    assert status == "error"
    assert error
    assert stats == {"ingested": 1, "failed": 1, "total": 2}
    # Sent again, a photo is not another one; and the trouble is over.
    assert await send(good, field) == 200
    assert await told() == ("active", None, stats)


@pytest.mark.parametrize("watcher_id", ["0", "999999", "-1", "1.5", "", "x" * 9000, "9" * 30])
async def test_a_watcher_that_is_not_there_refuses_no_photo(
    gallery: Gallery, watcher_id: str
) -> None:
    answer = await gallery.upload(("a.jpg", image_file()), data={"watcher_id": watcher_id})

    assert answer.json()["enqueued"] == 1


async def test_another_events_watcher_counts_nothing(gallery: Gallery) -> None:
    ingest = gallery.ingest
    stranger = await ingest.world.user("photographer")
    theirs = Gallery(ingest, await ingest.world.event(stranger), stranger)
    watcher_id = await make(theirs)

    await gallery.upload(("a.jpg", image_file()), data={"watcher_id": str(watcher_id)})

    [watcher] = await listed(ingest, theirs.headers)
    assert watcher["stats"]["total"] == 0


async def test_photographers_see_and_change_their_own_events_watchers_and_admins_all(
    gallery: Gallery,
) -> None:
    ingest = gallery.ingest
    watcher_id = await make(gallery)
    stranger = ingest.headers(await ingest.world.user("photographer"))
    guest = ingest.headers(await ingest.world.user(), Role.PARTICIPANT)
    admin = ingest.headers(await ingest.world.user("admin"), Role.ADMIN)
    one = f"{URL}/{watcher_id}"

    assert await listed(ingest, stranger) == []
    assert len(await listed(ingest, admin)) == 1
    for headers, expected in ((stranger, 404), (guest, 403), ({}, 401)):
        event = {"event_id": gallery.event_id}
        made = await ingest.client.post(URL, headers=headers, json=event)
        changed = await ingest.client.put(one, headers=headers, json={"listening": False})
        deleted = await ingest.client.delete(one, headers=headers)
        assert {made.status_code, changed.status_code, deleted.status_code} == {expected}
    [watcher] = await listed(ingest, gallery.headers)
    assert watcher["listening"] is True
    assert (await ingest.client.put(one, headers=admin, json={})).json() == {"updated": True}


async def test_an_event_has_a_bounded_number_of_them(gallery: Gallery) -> None:
    ingest = gallery.ingest
    for _ in range(MAX_WATCHERS_PER_EVENT):
        await make(gallery)
    more = await ingest.client.post(
        URL, headers=gallery.headers, json={"event_id": gallery.event_id}
    )
    assert more.status_code == 409
    assert "Delete one" in more.json()["detail"]


@pytest.mark.parametrize("text", ["a\u0000b", "\ud800"])
async def test_texts_that_cannot_be_stored_are_refused(gallery: Gallery, text: str) -> None:
    escaped = text.encode("unicode_escape").decode().replace("\\x00", "\\u0000")
    answer = await gallery.ingest.client.post(
        URL,
        headers=gallery.headers | {"Content-Type": "application/json"},
        content=f'{{"event_id": {gallery.event_id}, "label": "{escaped}"}}',
    )
    assert answer.status_code == 422


async def test_a_program_that_says_it_is_there_is_active_until_it_has_a_problem(
    gallery: Gallery,
) -> None:
    ingest, headers = gallery.ingest, gallery.headers
    watcher_id = await make(gallery)
    beat = f"{URL}/{watcher_id}/heartbeat"

    async def after(problem: str | None) -> tuple[str, str | None]:
        answer = await ingest.client.post(beat, headers=headers, json={"problem": problem})
        assert answer.json() == {"seen": True}
        [watcher] = await listed(ingest, headers)
        return watcher["status"], watcher["last_error"]

    assert await after(None) == ("active", None)
    assert await after("The folder is not there.") == ("error", "The folder is not there.")
    assert await after(None) == ("active", None)
    [before] = await listed(ingest, headers)
    assert before["updated_at"] == before["created_at"]  # nobody has changed it

    an_hour_ago = func.now() - timedelta(hours=1)
    await ingest.world.execute(update(watchers).values(seen_at=an_hour_ago))
    assert (await listed(ingest, headers))[0]["status"] == "idle"

    other = await new_gallery(ingest)
    answer = await ingest.client.post(beat, headers=other.headers, json={})
    assert answer.status_code == 404


async def test_a_watcher_finds_the_events_that_it_may_send_to(gallery: Gallery) -> None:
    ingest, world = gallery.ingest, gallery.ingest.world
    other = await new_gallery(ingest)
    ended = await world.event(gallery.photographer_id)
    await world.execute(update(events).where(events.c.id == ended).values(expires_at=func.now()))
    second = await world.event(gallery.photographer_id)

    async def found(headers: dict[str, str]) -> list[int]:
        answer = await ingest.client.get(f"{URL}/events", headers=headers)
        assert all(set(one) == {"id", "name"} for one in answer.json())
        return [one["id"] for one in answer.json()]

    assert await found(gallery.headers) == [second, gallery.event_id]
    assert await found(other.headers) == [other.event_id]
    key = await key_for(gallery, event_id=gallery.event_id)
    assert await found(by_header(key)) == [gallery.event_id]
