"""Two sorted streams beside one another: what is in one of them only."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.sweep.rules import (
    DELETED,
    Findings,
    Kind,
    Lost,
    NamedByRow,
    OutOfOrder,
    Stray,
    Tally,
    differences,
    kind_of,
    source_key,
)
from libs.common.storage.protocol import ListedObject
from services.media.stripping.pieces import RULES


async def listed(keys: Sequence[str]) -> AsyncIterator[ListedObject]:
    for key in keys:
        yield ListedObject(key, 1, '"x"', datetime(2026, 1, 1, tzinfo=UTC))


async def named(keys: Sequence[str]) -> AsyncIterator[NamedByRow]:
    for number, key in enumerate(keys):
        missing = None if key.endswith("/") else Kind.PHOTO_WITHOUT_OBJECT
        yield NamedByRow(key, number, 1, missing)


async def compared(objects: Sequence[str], rows: Sequence[str]) -> tuple[list[str], list[str], int]:
    """Return stray keys, lost keys, and the number of objects that belong."""
    found = [each async for each in differences(listed(objects), named(rows))]
    return (
        [each.found.key for each in found if isinstance(each, Stray)],
        [each.row.key for each in found if isinstance(each, Lost)],
        found.count(None),
    )


@pytest.mark.parametrize(
    ("objects", "rows", "expected"),
    [
        ([], [], ([], [], 0)),
        (["a", "b"], ["a", "b"], ([], [], 2)),
        (["a", "c"], ["b"], (["a", "c"], ["b"], 0)),
        ([], ["a", "b"], ([], ["a", "b"], 0)),
        (["a", "b"], [], (["a", "b"], [], 0)),
        (["r/1/x", "r/1/y", "r/2/x", "r/3/x"], ["r/1/", "r/3/"], (["r/2/x"], [], 3)),
        (["r/1/x"], ["r/0/", "r/1/", "r/2/"], ([], [], 1)),
        # "-" and "." come before the slash: another name is not a folder's content.
        (["r/a-b/x", "r/a/x"], ["r/a-b/", "r/a/"], ([], [], 2)),
        (["r/a-b/x", "r/a/x"], ["r/a/"], (["r/a-b/x"], [], 1)),
    ],
)
async def test_what_is_on_one_side_only_is_found(
    objects: list[str], rows: list[str], expected: tuple[list[str], list[str], int]
) -> None:
    assert await compared(objects, rows) == expected


@given(st.sets(st.text("ab-.é😀", min_size=1)), st.sets(st.text("ab-.é😀", min_size=1)))
async def test_it_is_what_sets_would_say(objects: set[str], rows: set[str]) -> None:
    assert await compared(sorted(objects), sorted(rows)) == (
        sorted(objects - rows),
        sorted(rows - objects),
        len(objects & rows),
    )


async def test_a_list_in_another_order_is_not_compared() -> None:
    with pytest.raises(OutOfOrder, match="lists a after b"):
        await compared(["b", "a"], [])


def test_objects_are_told_by_their_keys() -> None:
    assert kind_of("events/1/photos/a.jpg") is Kind.PHOTO_WITHOUT_ROW
    assert kind_of("events/1/renditions/a.jpg/thumbnail.webp") is Kind.RENDITION_WITHOUT_PHOTO
    assert kind_of("users/1/selfies/a.jpg") is Kind.SELFIE_WITHOUT_ROW
    for key in ("a", "events/x/photos/a", "events/1/photos/a/b", "backups/1", "users/1/x/a.jpg"):
        assert kind_of(key) is Kind.UNKNOWN
    assert source_key("events/1/renditions/a.jpg/guest-copy") == "events/1/photos/a.jpg"
    assert source_key("events/1/photos/a.jpg") == "events/1/photos/a.jpg"


async def test_a_copy_by_older_rules_is_of_no_use_to_its_photo() -> None:
    folder = "events/1/renditions/a.jpg/"
    old = [f"{folder}guest-copy.{RULES - 1}.{end}" for end in ("failed.json", "jpg", "json")]
    present = [f"{folder}guest-copy", f"{folder}guest-copy.{RULES}.json"]
    others = [f"{folder}guest-copy.{RULES + 1}.json", f"{folder}thumbnail.webp"]
    assert await compared(sorted([*old, *present, *others]), [folder]) == (old, [], 4)


@pytest.mark.parametrize(
    ("belonging", "strays", "is_suspicious"),
    [
        (1000, 19, False),
        (10, 1, False),
        (10, 2, True),
        (1000, 100, False),
        (1000, 200, True),
        (0, 20, True),
    ],
)
def test_a_store_of_which_much_is_nobodys_may_be_another_databases(
    belonging: int, strays: int, *, is_suspicious: bool
) -> None:
    for kind in (Kind.PHOTO_WITHOUT_ROW, Kind.SELFIE_WITHOUT_ROW, Kind.PHOTO_WITHOUT_OBJECT):
        found = Findings(belonging=belonging)
        found.by_kind[kind] = Tally(strays, 0)
        found.by_kind[Kind.RENDITION_WITHOUT_PHOTO] = Tally(10_000, 0)
        assert found.is_suspicious is is_suspicious


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("belonging", [0, 100])
def test_where_nothing_belongs_nothing_is_changed(kind: Kind, belonging: int) -> None:
    found = Findings(belonging=belonging)
    assert not found.is_suspicious
    found.by_kind[kind] = Tally(1, 0)
    is_changed = kind in DELETED or kind is Kind.PHOTO_WITHOUT_OBJECT
    assert found.is_suspicious is (is_changed and belonging == 0)
