"""The watcher sends a folder's photos to a real server, each of them once."""

import asyncio
import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import TextClause, text, update

from findme_watch.server import Shut
from findme_watch.settings import parse
from findme_watch.telling import What
from findme_watch.watch import GivenUp, NoEvent, watch
from libs.common import tasks
from libs.common.database.tables import api_keys, events
from tests.support.image_files import image_file, large_jpeg
from tests.support.polling import eventually
from tests.support.raw_files import nef
from tests.support.services import free_port
from tests.watcher.conftest import Heard, Place

MEGABYTE = 1_000_000


def sql_time(expression: str) -> TextClause:
    """A time by the database's clock."""
    return text(expression)


def write(folder: Path, *names: str, first_seed: int = 0) -> Counter[tuple[str, str]]:
    """Write a photo of its own under each name; return what the event is to have of them."""
    expected: Counter[tuple[str, str]] = Counter()
    for seed, name in enumerate(names, first_seed):
        content = image_file(seed=seed)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        expected[path.name, hashlib.sha256(content).hexdigest()] += 1
    return expected


def sent_one_more(heard: Heard) -> Callable[[], bool]:
    before = len(heard.names(What.SENT))
    return lambda: len(heard.names(What.SENT)) > before


async def test_every_photo_is_sent_once_and_what_is_not_sent_is_listed(place: Place) -> None:
    expected = write(place.folder, "a.JPG", "sub/b.jpg", "ü ‘c’ %2F+.jpeg", "pair.jpg")
    (place.folder / "pair.CR3").write_bytes(b"raw")
    (place.folder / "alone.NEF").write_bytes(nef())
    (place.folder / "alone.X3F").write_bytes(b"raw")
    (place.folder / "notes.txt").write_bytes(b"text")
    (place.folder / "lies.jpg").write_bytes(b"no photo, but long enough to be looked at")
    shutil.copy(place.folder / "a.JPG", place.folder / "copy of a.jpg")

    not_sent, heard = await place.watch()

    sent = await place.photos()
    assert sum(sent.values()) == 5
    # Whichever of the two copies came first gave the photo its name.
    raw = hashlib.sha256(nef()).hexdigest()
    assert {sha256 for _, sha256 in sent} == {sha256 for _, sha256 in expected} | {raw}
    assert len(heard.names(What.SENT)) == 5
    assert len(heard.names(What.DUPLICATE)) == 1
    assert heard.names(What.REFUSED) == ["lies.jpg"]
    assert "not a photo" in heard.reasons(What.REFUSED)[0]
    assert heard.names(What.LISTED) == ["alone.X3F", "notes.txt", "pair.CR3"]
    # Of a pair the picture is there.
    assert not_sent == 2
    assert heard.names(What.NOT_SENT) == ["alone.X3F", "lies.jpg"]


async def test_a_second_run_sends_nothing_and_still_lists_what_was_refused(place: Place) -> None:
    write(place.folder, "a.jpg", "b.jpg")
    (place.folder / "lies.jpg").write_bytes(b"no photo, but long enough to be looked at")
    await place.watch()
    before = await place.photos()
    (place.folder / "a.jpg").rename(place.folder / "renamed.jpg")

    not_sent, heard = await place.watch()

    assert await place.photos() == before
    assert heard.bytes_sent == 0
    assert (not_sent, heard.names(What.REFUSED)) == (1, ["lies.jpg"])
    assert heard.names(What.DUPLICATE) == ["renamed.jpg"]


async def test_a_refused_file_is_sent_again_once_it_has_changed_or_is_asked_to(
    place: Place,
) -> None:
    file = place.folder / "a.jpg"
    file.write_bytes(b"no photo, but long enough to be looked at")
    assert (await place.watch())[0] == 1
    _, heard = await place.watch("--retry-refused")
    assert heard.bytes_sent > 0
    write(place.folder, "a.jpg")
    assert (await place.watch())[0] == 0
    assert await place.names() == ["a.jpg"]


async def test_what_the_event_has_already_is_not_sent_again_without_a_manifest(
    place: Place,
) -> None:
    write(place.folder, *(f"{number}.jpg" for number in range(20)))
    await place.watch()
    before = await place.photos()
    place.state = place.state.with_name("another machine's.sqlite3")
    not_sent, heard = await place.watch()
    assert (not_sent, heard.bytes_sent) == (0, 0)
    assert len(heard.names(What.DUPLICATE)) == 20
    assert await place.photos() == before


async def test_a_file_without_its_end_is_sent_after_all_and_the_server_says_what_it_is(
    place: Place,
) -> None:
    whole = image_file(size=(640, 480))
    (place.folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (place.folder / "empty.jpg").write_bytes(b"")
    not_sent, heard = await place.watch()
    assert await place.names() == ["cut.jpg"]
    assert len(heard.reasons(What.NOTICE)) == 2
    assert not_sent == 1
    assert heard.reasons(What.REFUSED)[0].startswith("The file is empty.")


async def test_a_file_is_taken_when_it_is_whole_though_it_is_written_slowly(place: Place) -> None:
    content = image_file(size=(640, 480))
    file = place.folder / "slow.jpg"
    file.write_bytes(content[:1000])
    heard = Heard()
    options = place.options("--patience", "600")
    watching = asyncio.create_task(watch(parse(options, {}), heard))
    await eventually(lambda: place.state.exists())
    for start in range(1000, len(content), len(content) // 4):
        with file.open("ab") as output:
            output.write(content[start : start + len(content) // 4])
        # Time enough for it to be still, and to be read.
        await asyncio.sleep(0.1)
    await eventually(lambda: heard.names(What.SENT) == ["slow.jpg"])
    await tasks.end(watching)
    assert await place.photos() == {("slow.jpg", hashlib.sha256(content).hexdigest()): 1}


@pytest.mark.parametrize("polling", ["never", "always"])
async def test_new_photos_are_found_while_it_runs(place: Place, polling: str) -> None:
    heard = Heard()
    write(place.folder, "first.jpg")
    watching = asyncio.create_task(watch(parse(place.options("--polling", polling), {}), heard))
    await eventually(lambda: heard.names(What.SENT) == ["first.jpg"])
    write(place.folder, "new/folder/second.jpg", first_seed=1)
    await eventually(lambda: len(heard.names(What.SENT)) == 2)
    await tasks.end(watching)
    assert await place.names() == ["first.jpg", "second.jpg"]


@pytest.mark.parametrize("polling", ["auto", "never"])
async def test_a_name_that_is_no_text_ends_no_watch(place: Place, polling: str) -> None:
    heard = Heard()
    write(place.folder, "first.jpg")
    watching = asyncio.create_task(watch(parse(place.options("--polling", polling), {}), heard))
    await eventually(lambda: heard.names(What.SENT) == ["first.jpg"])
    for seed, name in enumerate((b"caf\xe9.jpg", b"caf\xe8.jpg"), 1):
        is_sent = sent_one_more(heard)
        (place.folder / os.fsdecode(name)).write_bytes(image_file(seed=seed))
        await eventually(is_sent)
    write(place.folder, "last.jpg", first_seed=3)
    await eventually(lambda: "last.jpg" in heard.names(What.SENT))
    await tasks.end(watching)


async def test_a_folder_that_comes_later_is_waited_for(place: Place) -> None:
    place.folder.rmdir()
    heard = Heard()
    watching = asyncio.create_task(watch(parse(place.options("--polling", "always"), {}), heard))
    await eventually(lambda: heard.reasons(What.PROBLEM))
    assert heard.reasons(What.PROBLEM) == ["The folder cannot be read: No such file or directory."]
    write(place.folder, "a.jpg")
    await eventually(lambda: heard.names(What.SENT) == ["a.jpg"])
    await tasks.end(watching)


async def test_sent_photos_are_moved_over_none_that_is_there(place: Place) -> None:
    write(place.folder, "a.jpg", "sub/b.jpg")
    (place.folder / "sent").mkdir()
    (place.folder / "sent/a.jpg").write_bytes(b"another day's")
    (place.folder / "a.CR3").write_bytes(b"raw")
    not_sent, heard = await place.watch("--move-to", "sent")
    assert not_sent == 0
    assert len(heard.names(What.MOVED)) == 2
    left = {path.relative_to(place.folder).as_posix() for path in place.folder.rglob("*.*")}
    assert left == {"a.CR3", "sent/a.jpg", "sent/a (2).jpg", "sent/sub/b.jpg"}
    assert (place.folder / "sent/a.jpg").read_bytes() == b"another day's"
    assert await place.names() == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize("target", ["sub/../sent", "{link}/sent", "../photos/sent"])
async def test_moved_photos_are_left_alone_by_whatever_path_their_folder_is_named(
    place: Place, tmp_path: Path, target: str
) -> None:
    (place.folder / "sub").mkdir()
    link = tmp_path / "link"
    link.symlink_to(place.folder, target_is_directory=True)
    write(place.folder, "a.jpg")
    to = target.format(link=link)
    for _ in range(2):
        not_sent, _ = await place.watch("--move-to", to)
        assert not_sent == 0
    left = {path.relative_to(place.folder).as_posix() for path in place.folder.rglob("*.*")}
    assert left == {"sent/a.jpg"}


async def test_raw_files_are_sent_where_the_list_of_what_was_sent_lies_in_the_folder(
    place: Place,
) -> None:
    (place.folder / "alone.NEF").write_bytes(nef())
    place.state = place.folder / "state/manifest.sqlite3"
    assert (await place.watch())[0] == 0
    assert await place.names() == ["alone.NEF"]


async def test_a_dry_run_says_what_it_would_send_and_sends_nothing(place: Place) -> None:
    write(place.folder, "a.jpg", "b.jpg")
    _, heard = await place.watch("--dry-run", "--move-to", "sent")
    assert heard.names(What.WOULD_SEND) == ["a.jpg", "b.jpg"]
    assert await place.names() == []
    await place.watch()
    assert await place.names() == ["a.jpg", "b.jpg"]


async def test_what_an_earlier_watcher_had_sent_is_not_sent_again(place: Place) -> None:
    write(place.folder, "old.jpg", "new.jpg")
    (place.folder / ".uploaded_manifest.json").write_text(json.dumps(["old.jpg"]))
    _, heard = await place.watch()
    assert await place.names() == ["new.jpg"]
    assert "1 files were sent by the earlier watcher" in heard.reasons(What.NOTICE)[0]


async def test_what_an_earlier_watcher_sent_by_its_hash_is_known_by_it_and_nothing_else_is(
    place: Place,
) -> None:
    write(place.folder, "IMG_1.jpg", "renamed.jpg", "other.jpg")
    hashed = {
        "IMG_1.jpg": "00" * 32,
        "before.jpg": hashlib.sha256((place.folder / "renamed.jpg").read_bytes()).hexdigest(),
    }
    files = {name: {"sha256": sha256} for name, sha256 in hashed.items()}
    manifest = json.dumps({"version": 2, "files": files})
    (place.folder / ".uploaded_manifest.json").write_text(manifest)
    _, heard = await place.watch()
    assert await place.names() == ["IMG_1.jpg", "other.jpg"]
    assert heard.names(What.DUPLICATE) == ["renamed.jpg"]
    assert "2 more are known by their content" in heard.reasons(What.NOTICE)[0]


async def test_the_only_open_event_is_found_by_the_key_and_several_are_listed(
    place: Place,
) -> None:
    write(place.folder, "a.jpg")
    options = [option for option in place.options("--once") if option != str(place.event_id)]
    options.remove("--event")
    assert await watch(parse(options, {}), Heard()) == 0
    assert await place.names() == ["a.jpg"]
    await place.rows.event(place.photographer_id)
    with pytest.raises(NoEvent, match=f"--event: .*{place.event_id} "):
        await watch(parse(options, {}), Heard())


async def test_a_key_that_is_none_ends_a_run_and_a_watch_waits_for_a_good_one(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("findme_watch.delivery.SHUT_PAUSE_SECONDS", 0.05)
    write(place.folder, "a.jpg")
    past = update(api_keys).values(expires_at=sql_time("now() - interval '1 minute'"))
    await place.rows.execute(past)
    with pytest.raises(Shut) as caught:
        await place.watch()
    assert caught.value.status == 401

    heard = Heard()
    watching = asyncio.create_task(watch(parse(place.options(), {}), heard))
    await eventually(lambda: heard.reasons(What.PROBLEM))
    await place.rows.execute(update(api_keys).values(expires_at=None))
    await eventually(lambda: heard.names(What.SENT) == ["a.jpg"])
    assert len(heard.reasons(What.PROBLEM)) == 1  # told once
    await tasks.end(watching)


async def test_an_event_that_is_over_takes_nothing_and_no_file_is_blamed(place: Place) -> None:
    write(place.folder, "a.jpg")
    await place.rows.execute(update(events).values(expires_at=sql_time("now()")))
    with pytest.raises(Shut):
        await place.watch()
    later = sql_time("now() + interval '1 day'")
    await place.rows.execute(update(events).values(expires_at=later))
    assert (await place.watch())[0] == 0
    assert await place.names() == ["a.jpg"]


async def test_large_photos_are_sent_in_pieces(place: Place) -> None:
    content = large_jpeg(20 * MEGABYTE)
    (place.folder / "large.jpg").write_bytes(content)
    not_sent, heard = await place.watch()
    assert (not_sent, heard.bytes_sent) == (0, len(content))
    assert await place.photos() == {("large.jpg", hashlib.sha256(content).hexdigest()): 1}


async def test_a_file_that_cannot_be_read_is_listed(place: Place) -> None:
    write(place.folder, "a.jpg")
    # A file of which nobody, root neither, can read the first byte.
    (place.folder / "locked.jpg").symlink_to("/proc/self/mem")
    not_sent, heard = await place.watch()
    assert (not_sent, heard.names(What.LISTED)) == (1, ["locked.jpg"])
    assert await place.names() == ["a.jpg"]


async def test_an_event_that_is_not_there_is_told_by_its_number(place: Place) -> None:
    write(place.folder, "a.jpg")
    heard = Heard()
    with pytest.raises(Shut, match=r"not found: 987\. .*--event"):
        await watch(parse(place.options("--once", "--event", "987"), {}), heard)
    # The command says so once, by what was raised.
    assert heard.events == []


async def test_a_server_that_is_away_while_the_event_is_asked_for_is_told_once(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("findme_watch.watch._ASK_AGAIN_SECONDS", 0.01)
    heard = Heard()
    options = [str(place.folder), "--key", place.key, "--state", str(place.state), "--once"]
    away = [*options, "--url", f"http://127.0.0.1:{free_port()}", "--give-up", "0.3"]
    with pytest.raises(GivenUp):
        await watch(parse(away, {}), heard)
    assert len(heard.reasons(What.PAUSED)) == 1


async def test_https_to_a_server_without_it_says_so(place: Place) -> None:
    heard = Heard()
    options = [str(place.folder), "--key", place.key, "--state", str(place.state), "--once"]
    address = place.url.replace("http:", "https:")
    with pytest.raises(GivenUp):
        await watch(parse([*options, "--url", address, "--give-up", "0.3"], {}), heard)
    assert "does not speak HTTPS" in heard.reasons(What.PAUSED)[0]
