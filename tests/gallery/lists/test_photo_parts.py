"""A page joined from parts is the page built plainly, whatever was read and changed before."""

import asyncio
import gc
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.common.web.signed_urls import SignedUrls
from services.gallery.events.links import PhotoLinks
from services.gallery.events.rules import Event
from services.gallery.lists.answer import photo_view
from services.gallery.lists.codings import Coding, decoded
from services.gallery.lists.guest_pages import joined
from services.gallery.lists.photo_parts import (
    PART_OVERHEAD_BYTES,
    PhotoPart,
    PhotoParts,
    guest_part,
    seal_of,
)
from services.gallery.lists.repository import PhotoRow
from services.gallery.web.paging import Place
from tests.support.people import KEYS

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
LINKS = PhotoLinks(SignedUrls(KEYS), grace=timedelta(days=30))
EVENT = Event(1, "Gala", "CODE", None, None, NOON, False, False, NOON, True, None, "Asia/Tokyo")
IDS = range(1, 9)

rows = st.builds(
    PhotoRow,
    id=st.sampled_from(IDS),
    event_id=st.just(1),
    filename=st.just("abc.jpg"),
    original_filename=st.text(max_size=5),
    content_type=st.just("image/jpeg"),
    photographer_id=st.none() | st.integers(1, 9),
    uploaded_at=st.just(NOON),
    width=st.just(4000),
    height=st.just(3000),
    taken_at=st.none() | st.just(NOON.replace(tzinfo=None)),
    taken_at_offset=st.none() | st.just(120),
    taken_instant=st.none() | st.just(NOON),
    placeholder=st.none() | st.text(max_size=5),
    show_in_general=st.none(),
    processing_status=st.sampled_from(["queued", "done"]),
)
changes = st.one_of(
    rows,
    st.sampled_from(["Gala", 'a "quoted" one', "Soirée"]),
    st.integers(0, 3).map(lambda days: NOON + timedelta(days=days)),
)
pages = st.tuples(st.lists(st.sampled_from(IDS), unique=True), st.frozensets(st.sampled_from(IDS)))


class World:
    """An event's rows, each with a version of its own, as the database gives them."""

    def __init__(self, max_parts: int) -> None:
        self.event = EVENT
        self.rows: dict[int, PhotoRow] = {}
        self.parts = PhotoParts(max_bytes=max_parts * (PART_OVERHEAD_BYTES + 900))

    def version(self, photo_id: int) -> int:
        return hash(self.rows[photo_id])

    def change(self, change: PhotoRow | str | datetime) -> None:
        match change:
            case PhotoRow():
                self.rows[change.id] = change
            case str():
                self.event = replace(self.event, name=change)
            case datetime():
                self.event = replace(self.event, expires_at=change)

    def page(self, asked: list[int], own: frozenset[int], last: Place | None) -> Any:
        """Join what is kept and what is not, as `guest_page` does."""
        ids = [photo_id for photo_id in asked if photo_id in self.rows]
        versions = [self.version(photo_id) for photo_id in ids]
        seal = seal_of(self.event)
        shown: dict[int, PhotoPart] = {}
        for photo_id, part in zip(ids, self.parts.find(ids, versions, seal), strict=True):
            made = part or guest_part(self.rows[photo_id], self.event, LINKS)
            if part is None:
                self.parts.keep(photo_id, self.version(photo_id), seal, made)
            shown[photo_id] = made
        return joined(shown, own, last)

    def plain(self, asked: list[int], own: frozenset[int]) -> bytes:
        """The same by one call of the encoder."""
        return orjson.dumps(
            [
                photo_view(
                    self.rows[photo_id],
                    self.event.end,
                    LINKS,
                    time_zone=self.event.time_zone,
                    for_guest=True,
                )
                | {"event_name": self.event.name, "has_face_match": photo_id in own}
                for photo_id in asked
                if photo_id in self.rows
            ]
        )


@settings(max_examples=150)
@given(st.lists(changes | pages, max_size=30), st.integers(0, 4), st.sampled_from(Coding))
def test_a_page_from_parts_is_the_page_built_plainly(
    steps: list[Any], max_parts: int, coding: Coding
) -> None:
    world = World(max_parts)
    bodies: dict[str, bytes] = {}
    for step in steps:
        if not isinstance(step, tuple):
            world.change(step)
            continue
        asked, own = step
        page = world.page(asked, own, None)
        body = decoded(asyncio.run(page.body(coding)), coding)
        assert body == world.plain(asked, own)
        # The tag is the page's own: the same for the same bytes, and for no others.
        assert bodies.setdefault(page.etag(coding), body) == body
        assert world.parts._size_bytes <= max_parts * (PART_OVERHEAD_BYTES + 900)
    assert len(set(bodies.values())) == len(bodies)


def test_a_page_with_a_successor_has_another_tag() -> None:
    world = World(4)
    assert joined({}, frozenset(), None).tag != joined({}, frozenset(), Place(NOON, 1)).tag
    assert world.page([], frozenset(), None).tag == joined({}, frozenset(), None).tag


def test_kept_parts_are_nothing_that_the_collector_of_garbage_looks_through() -> None:
    parts = PhotoParts(max_bytes=10**9)
    before = len(gc.get_objects())
    for photo_id in range(10_000):
        parts.keep(photo_id, photo_id, 1, (b"head of %d" % photo_id, b"digest of %d" % photo_id))
    gc.collect()
    assert len(gc.get_objects()) < before + 1_000
    assert None not in parts.find(range(10_000), range(10_000), 1)
