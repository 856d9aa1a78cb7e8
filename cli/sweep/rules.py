"""What is found where two sorted streams, of objects and of rows, are read beside one another."""

import re
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from enum import StrEnum

from libs.common.errors import Unavailable
from libs.common.storage.keys import GUEST_COPY, photo_key
from libs.common.storage.protocol import ListedObject
from services.media.stripping.pieces import RULES


class Kind(StrEnum):
    """What is wrong."""

    PHOTO_WITHOUT_ROW = "photos that no row names"
    SELFIE_WITHOUT_ROW = "selfies that no row names"
    RENDITION_WITHOUT_PHOTO = "renditions of photos that are gone"
    PART_WITHOUT_UPLOAD = "parts of uploads that are gone"
    OUTDATED_COPY = "copies for guests by rules that hold no more"
    UNKNOWN = "objects that FindMe does not know"
    PHOTO_WITHOUT_OBJECT = "photos whose file is missing"
    FAILED_WITHOUT_OBJECT = "photos whose file is missing, failed already"
    SELFIE_WITHOUT_OBJECT = "selfies whose file is missing"
    OTHER_SIZE = "files of another size than they had"
    FOUND_AGAIN = "photos whose file is there again"
    UNFINISHED = "uploads that never ended"


#: What a repair deletes, and for good.
DELETED = frozenset(
    {
        Kind.PHOTO_WITHOUT_ROW,
        Kind.SELFIE_WITHOUT_ROW,
        Kind.RENDITION_WITHOUT_PHOTO,
        Kind.PART_WITHOUT_UPLOAD,
        Kind.OUTDATED_COPY,
    }
)
#: What is lost, and nobody has been told of.
LOST_FILES = frozenset({Kind.PHOTO_WITHOUT_OBJECT, Kind.SELFIE_WITHOUT_OBJECT, Kind.OTHER_SIZE})
#: By which what a sweep marked is told from what failed otherwise.
LOST_REASON = "The photo's file is missing from the store. Upload it again."
#: Such a part of all is lost by mistake: of another database, or bucket.
SUSPICIOUS_PART = 0.1

_PHOTO = re.compile(r"events/\d+/photos/[^/]+", re.ASCII)
_RENDITION = re.compile(r"events/(\d+)/renditions/([^/]+)/.+", re.ASCII)
_PART = re.compile(r"(events/\d+/uploads/[^/]+/).+", re.ASCII)
_COPY = re.compile(rf"events/\d+/renditions/[^/]+/{GUEST_COPY}\.(\d+)\.[a-z.]+", re.ASCII)
_SELFIE = re.compile(r"users/\d+/selfies/[^/]+", re.ASCII)


class OutOfOrder(Unavailable):
    """The store lists its objects in an order that nothing can be compared with."""

    def __init__(self, before: str, after: str) -> None:
        super().__init__(f"The photo store lists {after} after {before}: it cannot be swept.")


@dataclass(frozen=True, slots=True)
class NamedByRow:
    """A key that a row names: of its object, or with a slash at the end of what is derived."""

    key: str
    row_id: int
    size_bytes: int
    without_object: Kind | None
    """What is wrong where there is nothing; None where nothing need be."""
    was_lost: bool = False
    """Whether a sweep marked it, as its file was missing."""


@dataclass(frozen=True, slots=True)
class Stray:
    """An object that no row names, or that its photo has no use for."""

    kind: Kind
    found: ListedObject


@dataclass(frozen=True, slots=True)
class Lost:
    """A row whose object is not there."""

    kind: Kind
    row: NamedByRow


@dataclass(frozen=True, slots=True)
class Odd:
    """An object that has its row, and does not fit it."""

    kind: Kind
    row: NamedByRow


async def differences(
    objects: AsyncIterator[ListedObject], rows: AsyncIterator[NamedByRow]
) -> AsyncGenerator[Stray | Lost | Odd | None, None]:
    """Read both to their ends, by the order of their keys; None for each object that belongs.

    Raises OutOfOrder.
    """
    row = await anext(rows, None)
    has_object = False
    before = ""
    async for found in objects:
        if found.key < before:
            raise OutOfOrder(before, found.key)
        before = found.key
        while row is not None and row.key < found.key and not _belongs(found.key, row):
            if not has_object and row.without_object is not None:
                yield Lost(row.without_object, row)
            row, has_object = await anext(rows, None), False
        if row is not None and _belongs(found.key, row):
            has_object = True
            if is_outdated_copy(found.key):
                yield Stray(Kind.OUTDATED_COPY, found)
            else:
                kind = _odd(found, row)
                yield None if kind is None else Odd(kind, row)
        else:
            yield Stray(kind_of(found.key), found)
    while row is not None:
        if not has_object and row.without_object is not None:
            yield Lost(row.without_object, row)
        row, has_object = await anext(rows, None), False


def _belongs(key: str, row: NamedByRow) -> bool:
    return key == row.key or (row.key.endswith("/") and key.startswith(row.key))


def _odd(found: ListedObject, row: NamedByRow) -> Kind | None:
    if found.key == row.key and found.size_bytes != row.size_bytes:
        return Kind.OTHER_SIZE
    return Kind.FOUND_AGAIN if row.was_lost else None


def is_outdated_copy(key: str) -> bool:
    """Whether it is, or tells of, a copy for guests that nobody is served any more."""
    found = _COPY.fullmatch(key)
    return found is not None and int(found[1]) < RULES


def kind_of(key: str) -> Kind:
    """Return what is wrong with an object that no row names."""
    try:
        key.encode()
    except UnicodeEncodeError:
        # A file's name of other bytes: no row can name it, and FindMe writes none.
        return Kind.UNKNOWN
    if _PHOTO.fullmatch(key):
        return Kind.PHOTO_WITHOUT_ROW
    if _RENDITION.fullmatch(key):
        return Kind.RENDITION_WITHOUT_PHOTO
    if _PART.fullmatch(key):
        return Kind.PART_WITHOUT_UPLOAD
    if _SELFIE.fullmatch(key):
        return Kind.SELFIE_WITHOUT_ROW
    return Kind.UNKNOWN


def source_key(key: str) -> str:
    """Return what a row must name for the object: its key, its photo's, or its upload's prefix."""
    if found := _RENDITION.fullmatch(key):
        return photo_key(int(found[1]), found[2])
    if found := _PART.fullmatch(key):
        return found[1]
    return key


@dataclass(slots=True)
class Tally:
    """How many, and how large."""

    count: int = 0
    size_bytes: int = 0

    def add(self, size_bytes: int) -> None:
        """Count one more."""
        self.count += 1
        self.size_bytes += size_bytes


@dataclass(slots=True)
class Findings:
    """What a sweep found, or repaired."""

    by_kind: dict[Kind, Tally] = field(default_factory=lambda: {kind: Tally() for kind in Kind})
    #: What may belong to an upload in hand.
    young: Tally = field(default_factory=Tally)
    #: Objects that have their row, also those that do not fit it.
    belonging: int = 0
    #: The first photos and selfies of which the file is lost, for people to look at.
    lost_keys: list[str] = field(default_factory=list)

    @property
    def is_suspicious(self) -> bool:
        """Whether database and store look as if they did not belong together."""
        changed = DELETED | {Kind.PHOTO_WITHOUT_OBJECT}
        if self.belonging == 0 and any(self.by_kind[kind].count for kind in changed):
            # However few they are: it may be all that a small deployment has.
            return True
        kinds = (Kind.PHOTO_WITHOUT_ROW, Kind.SELFIE_WITHOUT_ROW, Kind.PHOTO_WITHOUT_OBJECT)
        worst = max(self.by_kind[kind].count for kind in kinds)
        return worst > SUSPICIOUS_PART * (self.belonging + worst)
