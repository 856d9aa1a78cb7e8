"""What is sent by its name, and what is listed with a reason."""

from pathlib import Path

import pytest

from findme_watch.folder import What, is_ignored, read_folder
from findme_watch.kinds import Kind, NotSent, kind_of, reason_not_sent


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("IMG_0001.JPG", Kind.PHOTO),
        ("a.heic", Kind.PHOTO),
        ("DSC_1.NEF", Kind.RAW),
        ("clip.MOV", Kind.OTHER),
        ("notes", Kind.OTHER),
    ],
)
def test_a_file_s_kind_is_told_by_its_suffix_in_either_case(name: str, kind: Kind) -> None:
    assert kind_of(name) is kind


def test_a_raw_file_names_the_jpeg_that_is_sent_in_its_place() -> None:
    named = NotSent("Raw file: A.JPG beside it is sent.", is_loss=False)
    assert reason_not_sent("A.CR3", ["A.JPG"]) == named
    alone = NotSent("Raw file without a JPEG beside it. Export it as JPEG.", is_loss=True)
    assert reason_not_sent("A.X3F", []) == alone
    # A PNG beside it is no camera's.
    assert reason_not_sent("A.X3F", ["A.png"]) == alone
    # Of these the server shows the JPEG in them.
    assert reason_not_sent("A.CR3", []) is None
    assert reason_not_sent("A.CR3", ["A.png"]) is None
    # Its JPEG may have been sent, and moved.
    assert reason_not_sent("A.CR3", [], are_moved=True) == alone
    assert reason_not_sent("A.JPG", []) is None


def test_a_folder_s_photos_raws_and_other_files_are_told_apart(tmp_path: Path) -> None:
    for name in ("a.JPG", "A.nef", "b.nef", "b.x3f", "sub/a.CR2", "sub/c.jpg", "sub/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    found = read_folder(tmp_path, What())
    assert {path.relative_to(tmp_path).as_posix() for path in found.photos} == {
        "a.JPG",
        "b.nef",
        # The JPEG of that name is another folder's.
        "sub/a.CR2",
        "sub/c.jpg",
    }
    reasons = {
        path.relative_to(tmp_path).as_posix(): one.reason for path, (_, one) in found.others.items()
    }
    assert reasons == {
        "A.nef": "Raw file: a.JPG beside it is sent.",
        "b.x3f": "Raw file without a JPEG beside it. Export it as JPEG.",
        "sub/notes.txt": "Not a photo by its name (.txt).",
    }


def test_without_subfolders_only_the_folder_itself_is_read(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/a.jpg").write_bytes(b"x")
    assert not read_folder(tmp_path, What(subfolders=False)).photos


def test_a_link_to_a_folder_is_listed_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "a.jpg").write_bytes(b"x")
    found = read_folder(tmp_path, What())
    assert list(found.photos) == [tmp_path / "a.jpg"]
    assert found.unreadable == {tmp_path / "loop": "A link to a folder is not followed."}


@pytest.mark.parametrize(
    ("path", "patterns", "ignored"),
    [
        ("a_edit.JPG", ["*_edit.jpg"], True),
        ("deep/in/a_edit.jpg", ["*_edit.jpg"], True),
        ("raw/a.jpg", ["raw/*"], True),
        ("other/raw/a.jpg", ["raw/*"], False),
        ("a.jpg", ["*_edit.jpg", "raw/*"], False),
        ("a.jpg", [], False),
    ],
)
def test_patterns_are_of_names_or_of_paths_below_the_folder(
    path: str, patterns: list[str], ignored: bool
) -> None:
    assert is_ignored(path, patterns) is ignored


def test_what_systems_leave_behind_is_ignored_and_counted(tmp_path: Path) -> None:
    for name in (".DS_Store", "Thumbs.db", "a.jpg.part", ".uploaded_manifest.json"):
        (tmp_path / name).write_bytes(b"x")
    found = read_folder(tmp_path, What())
    assert (found.photos, found.others, found.ignored) == ({}, {}, 4)
