"""What is remembered of files, over restarts."""

import os
import sqlite3
from pathlib import Path

import pytest

from findme_watch.known import Content, Known, Look, State
from findme_watch.manifest import Manifest, ManifestUnusable

URL = "https://findme.test"
SHA = "ab" * 32
PHOTOS = Path("/photos")
SENT = Known(Look(10, 20), State.SENT, SHA)


def test_what_was_sent_is_known_after_a_restart_by_path_and_by_content(tmp_path: Path) -> None:
    file = tmp_path / "of its own" / "manifest.sqlite3"
    odd = PHOTOS / os.fsdecode(b"caf\xe9.jpg")
    with Manifest.open(file) as manifest:
        destination = manifest.destination(URL, 1)
        destination.keep(odd, SENT, Content(State.SENT, 7))
    with Manifest.open(file) as manifest:
        destination = manifest.destination(URL, 1)
        assert destination.known(PHOTOS) == {odd: SENT}
        assert destination.content(SHA) == Content(State.SENT, 7)


def test_events_and_folders_know_nothing_of_each_other(tmp_path: Path) -> None:
    with Manifest.open(tmp_path / "m.sqlite3") as manifest:
        one = manifest.destination(URL, 1)
        for name in ("photos/a.jpg", "photos/sub/b.jpg", "photos2/c.jpg", "photos.jpg"):
            one.keep(Path("/") / name, SENT, Content(State.SENT))
        assert set(one.known(PHOTOS)) == {PHOTOS / "a.jpg", PHOTOS / "sub/b.jpg"}
        for other in (manifest.destination(URL, 2), manifest.destination("https://b.test", 1)):
            assert other.known(PHOTOS) == {}
            assert other.content(SHA) is None


def test_an_upload_s_place_is_kept_until_its_end(tmp_path: Path) -> None:
    with Manifest.open(tmp_path / "m.sqlite3") as manifest:
        destination = manifest.destination(URL, 1)
        destination.set_upload_url(SHA, "/api/uploads/1")
        assert destination.upload_url(SHA) == "/api/uploads/1"
        destination.keep(PHOTOS / "a.jpg", SENT, Content(State.SENT, 7))
        assert destination.upload_url(SHA) is None


def test_refusals_are_forgotten_when_they_are_to_be_tried_again(tmp_path: Path) -> None:
    refused = Known(Look(10, 20), State.REFUSED, SHA, "Too large.")
    with Manifest.open(tmp_path / "m.sqlite3") as manifest:
        destination = manifest.destination(URL, 1)
        destination.keep(PHOTOS / "a.jpg", refused, Content(State.REFUSED, reason="Too large."))
        assert destination.forget_refusals() == 1
        assert (destination.known(PHOTOS), destination.content(SHA)) == ({}, None)


def test_an_earlier_watcher_s_list_is_of_the_first_event_that_takes_it(tmp_path: Path) -> None:
    old = PHOTOS / ".uploaded_manifest.json"
    with Manifest.open(tmp_path / "m.sqlite3") as manifest:
        first, second = manifest.destination(URL, 1), manifest.destination(URL, 2)
        assert first.take_over(old, [(PHOTOS / "a.jpg", SENT)])
        assert not second.take_over(old, [(PHOTOS / "a.jpg", SENT)])
        assert second.known(PHOTOS) == {}
        assert first.take_over(old, [(PHOTOS / "b.jpg", SENT)])


def test_what_is_no_manifest_is_refused_with_its_name(tmp_path: Path) -> None:
    file = tmp_path / "m.sqlite3"
    file.write_bytes(b"not a database, and long enough to be taken for one" * 100)
    with pytest.raises(ManifestUnusable, match=r"m\.sqlite3.*--state"), Manifest.open(file):
        pass


def test_a_newer_manifest_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "m.sqlite3"
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(ManifestUnusable, match="newer"), Manifest.open(file):
        pass
