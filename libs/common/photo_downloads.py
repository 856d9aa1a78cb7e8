"""Photos that somebody takes along: what the gallery, which makes the links, and media agree on."""

from enum import StrEnum
from typing import Final

#: What is signed follows it; no object's key begins as these do.
DOWNLOADS_PATH: Final = "/api/"


class Folders(StrEnum):
    """How photos are put into folders of their archive."""

    NONE = "none"
    PHOTOGRAPHER = "photographer"
    DAY = "day"


def download_key(download_id: object) -> str:
    """Return what is signed for how far a download is."""
    return f"downloads/{download_id}"


def archive_key(download_id: object) -> str:
    """Return what is signed for a download's archive."""
    return f"downloads/{download_id}/photos.zip"
