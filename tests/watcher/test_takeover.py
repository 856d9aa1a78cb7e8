"""An earlier watcher's `.uploaded_manifest.json` is believed, as far as it fits."""

import json
from pathlib import Path

import pytest

from findme_watch.known import Look, State
from findme_watch.takeover import Entry, UnreadableManifest, parse, taken_over

FOLDER = Path("/photos")
WRITTEN_AT = 1_000_000.0
SHA = "ab" * 32


def look(size: int = 100, mtime: float = WRITTEN_AT - 60) -> Look:
    return Look(size, int(mtime * 1e9))


def believed(text: str, files: dict[str, Look]) -> set[str]:
    found = taken_over(
        parse(text),
        FOLDER,
        {FOLDER / name: one for name, one in files.items()},
        written_at=WRITTEN_AT,
    )
    assert all(known.state is State.SENT for _, known in found)
    return {path.relative_to(FOLDER).as_posix() for path, _ in found}


@pytest.mark.parametrize(
    "text",
    [
        '["a.jpg", "sub/b.jpg", "gone.jpg"]',
        '{"a.jpg": true, "sub/b.jpg": "2026-06-01T12:00:00"}',
        '{"version": 1, "uploaded": ["a.jpg", "sub/b.jpg"]}',
        '["/photos/a.jpg", "sub\\\\b.jpg"]',
    ],
)
def test_version_1_names_files_that_have_not_changed_since(text: str) -> None:
    files = {"a.jpg": look(), "sub/b.jpg": look(), "new.jpg": look()}
    assert believed(text, files) == {"a.jpg", "sub/b.jpg"}
    # Cameras begin anew with the same names.
    again = files | {"a.jpg": look(mtime=WRITTEN_AT + 60)}
    assert believed(text, again) == {"sub/b.jpg"}


@pytest.mark.parametrize("as_list", [False, True])
def test_version_2_has_sizes_and_times_which_have_to_fit(as_list: bool) -> None:
    said: dict[str, dict[str, object]] = {
        "a.jpg": {"size": 100, "mtime": WRITTEN_AT - 60, "sha256": SHA},
        "b.jpg": {"size": 101, "mtime": WRITTEN_AT - 60},
        "c.jpg": {"size": 100, "mtime": WRITTEN_AT - 50},
        "d.jpg": {"size": 100},
        # Its content is to be looked at.
        "e.jpg": {"size": 100, "sha256": SHA},
    }
    files: object = [{"path": name, **one} for name, one in said.items()] if as_list else said
    text = json.dumps({"version": 2, "files": files})
    assert believed(text, dict.fromkeys(said, look())) == {"a.jpg", "d.jpg"}


def test_a_hash_is_kept_so_that_a_renamed_file_is_known() -> None:
    assert parse(json.dumps({"a.jpg": SHA.upper()})) == [Entry("a.jpg", sha256=SHA)]


def test_a_path_of_another_machine_counts_by_a_name_that_only_one_file_has() -> None:
    text = '["C:\\\\Photos\\\\a.jpg", "/mnt/old/b.jpg"]'
    assert believed(text, {"a.jpg": look(), "b.jpg": look()}) == {"a.jpg", "b.jpg"}
    two = {"a.jpg": look(), "sub/a.jpg": look()}
    assert believed(text, two) == set()


@pytest.mark.parametrize("text", ["", "{", "7", '{"version": 3}', '"a.jpg"'])
def test_what_is_none_is_not_believed(text: str) -> None:
    with pytest.raises(UnreadableManifest):
        parse(text)


def test_an_empty_one_names_nothing() -> None:
    assert parse("[]") == parse("{}") == parse('{"version": 2, "files": {}}') == []
