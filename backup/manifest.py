"""What a finished backup consists of. It is written last: without it there is no backup."""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from backup.files import MANIFEST, BackupDamaged, FileFacts, write_whole
from libs.common.errors import InvalidInput

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Manifest:
    """The state of one moment; `missing` are objects that the store had lost by then."""

    format: int
    created_at: str
    findme: str
    schema: str
    #: Major versions of the server and of the pg_dump that read it.
    postgres: int
    pg_dump: int
    database: FileFacts
    objects: FileFacts
    object_count: int
    object_bytes: int
    rows: dict[str, int]
    missing: list[str]
    secret: FileFacts | None


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Make the backup the folder's."""
    content = asdict(manifest)
    signed = content | {"sha256": _digest(content)}
    write_whole(folder / MANIFEST, orjson.dumps(signed, option=orjson.OPT_INDENT_2))


def read_manifest(folder: Path) -> Manifest:
    """Raises InvalidInput when there is no finished backup, BackupDamaged."""
    try:
        content = orjson.loads((folder / MANIFEST).read_bytes())
        told = content.pop("sha256")
    except FileNotFoundError as error:
        msg = f"There is no finished backup in {folder}: it has no {MANIFEST}."
        raise InvalidInput(msg) from error
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError) as error:
        raise BackupDamaged([MANIFEST]) from error
    if told != _digest(content):
        raise BackupDamaged([MANIFEST])
    if content["format"] != FORMAT:
        msg = (
            f"The backup has the format {content['format']}, this FindMe reads {FORMAT}:"
            " use the FindMe that made it, or a newer one."
        )
        raise InvalidInput(msg)
    facts = {
        name: content[name] and FileFacts(**content[name])
        for name in ("database", "objects", "secret")
    }
    return Manifest(**(content | facts))


def _digest(content: dict[str, object]) -> str:
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()
