import asyncio
from pathlib import Path
from typing import Any

from backup.make_backup import back_up
from backup.place import Place
from backup.restore_backup import restore_backup
from libs.common.web.auth import Role
from tests.backup.conftest import Quiet, settings_for
from tests.support.people import Person
from tests.support.polling import eventually
from tests.support.stack import Stack, running_stack
from tests.support.tiny_jpeg import tiny_jpeg

PHOTOS = [tiny_jpeg(f"people {1 + number % 3}\n{number}") for number in range(24)]


async def listed(stack: Stack, guest: Person) -> dict[str, bytes]:
    """What the guest finds: the photos' names and bytes."""
    answer = await stack.client.get("/api/my-photos", headers=guest.headers)
    answer.raise_for_status()
    found: list[dict[str, Any]] = answer.json()
    return {
        photo["original_filename"]: (await stack.client.get(photo["url"])).content
        for photo in found
    }


async def finished(stack: Stack) -> None:
    async def done() -> bool:
        return not await stack.world.scalar(
            "SELECT count(*) FROM photos WHERE processing_status <> 'done'"
        ) and bool(await stack.world.scalar("SELECT bool_and(status = 'done') FROM selfie_indexes"))

    await eventually(done)


async def upload(stack: Stack, photographer: Person, event_id: int, numbers: range) -> None:
    for number in numbers:
        await stack.upload(photographer, event_id, (f"{number}.jpg", PHOTOS[number]))


async def test_what_was_backed_up_during_uploads_is_found_in_an_empty_place(
    here: Place, there: Place, folder: Path
) -> None:
    async with running_stack(here.database_url, **settings_for(here)) as stack:
        photographer = await stack.world.person(Role.PHOTOGRAPHER)
        event_id = await stack.world.event(photographer)
        guest = await stack.world.person(joined=event_id)
        selfie = ("me.jpg", tiny_jpeg("people 1"), "image/jpeg")
        sent = await stack.client.post(
            "/api/upload-selfie", headers=guest.headers, files={"file": selfie}
        )
        sent.raise_for_status()
        await stack.world.scalar(
            "INSERT INTO mails (user_id, recipient, template, language, useless_at)"
            f" VALUES ({guest.id}, 'a@example.org', 'photos_available', 'en', now() + '1 day')"
            " RETURNING id"
        )
        await upload(stack, photographer, event_id, range(6))
        uploading = asyncio.create_task(upload(stack, photographer, event_id, range(6, 24)))
        manifest = await back_up(folder, here, Quiet())
        assert not uploading.done() or manifest.rows["photos"] == len(PHOTOS)
        await uploading
        await finished(stack)
        found_here = await listed(stack, guest)
    assert manifest.missing == []

    restored = await restore_backup(folder, there, Quiet())
    assert restored.missing == []
    assert restored.objects == manifest.object_count >= 6 + 1
    async with running_stack(there.database_url, **settings_for(there)) as stack:
        await finished(stack)
        assert await stack.world.scalar("SELECT count(*) FROM sessions") == 0
        # It has been sent since the backup, for all that is known.
        assert await stack.world.scalar("SELECT status FROM mails") == "dead"
        await stack.world.log_in(guest.id)
        found_there = await listed(stack, guest)
        names = await stack.world.scalar("SELECT array_agg(original_filename) FROM photos")
        assert len(names) == manifest.rows["photos"]
    assert found_there == {name: found_here[name] for name in names if name in found_here}
    assert set(found_there) >= {"0.jpg", "3.jpg"}
    assert found_there["0.jpg"] == PHOTOS[0]


async def test_a_second_backup_reads_only_what_is_new_and_drops_what_was_deleted(
    here: Place, there: Place, folder: Path
) -> None:
    async with running_stack(here.database_url, **settings_for(here)) as stack:
        photographer = await stack.world.person(Role.PHOTOGRAPHER)
        event_id = await stack.world.event(photographer)
        await upload(stack, photographer, event_id, range(3))
        await finished_photos(stack)
        first = await back_up(folder, here, Quiet())
        kept = {path: path.stat().st_mtime_ns for path in objects_in(folder)}
        deleted = await stack.world.scalar("SELECT min(id) FROM photos")
        gone = await stack.world.scalar(f"SELECT filename FROM photos WHERE id = {deleted}")
        answer = await stack.client.delete(f"/api/photos/{deleted}", headers=photographer.headers)
        answer.raise_for_status()
        await upload(stack, photographer, event_id, range(3, 4))
        second = await back_up(folder, here, Quiet())
    assert (first.object_count, second.object_count) == (3, 3)
    now = {path: path.stat().st_mtime_ns for path in objects_in(folder)}
    assert {path.name for path in kept} - {path.name for path in now} == {gone}
    assert all(kept[path] == now[path] for path in kept.keys() & now.keys())
    restored = await restore_backup(folder, there, Quiet())
    assert (restored.objects, restored.missing) == (3, [])


async def finished_photos(stack: Stack) -> None:
    async def done() -> bool:
        return not await stack.world.scalar(
            "SELECT count(*) FROM photos WHERE processing_status <> 'done'"
        )

    await eventually(done)


def objects_in(folder: Path) -> list[Path]:
    return [path for path in (folder / "objects").rglob("*.jpg") if path.is_file()]
