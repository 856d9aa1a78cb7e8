"""A download's photos as an archive: which, under which names, in which order."""

import asyncio
import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.photo_downloads import Folders
from services.media.archives import repository
from services.media.archives.content import Content
from services.media.archives.layout import Entry, Layout
from services.media.archives.lost import MISSING, StoredPhotos
from services.media.archives.names import (
    NO_PHOTOGRAPHER,
    Numbered,
    day_name,
    file_name,
    folder_name,
)
from services.media.archives.repository import ArchivedPhoto, Download
from services.media.archives.rights import DownloadOver
from services.media.archives.zip_format import File, dos_time
from services.media.photos.media_key import Original

#: Says which photos have no file any more, or could not be prepared for guests.
NOT_INCLUDED: Final = "Not included.txt"


async def lay_out(
    download: Download, connection: AsyncConnection, stored: StoredPhotos
) -> Layout[Content]:
    """Return where everything lies in the archive of the photos that the connection sees.

    Copies must be prepared. Raises DownloadOver when there are no photos, and StoreUnavailable.
    """
    making = _Making(download)
    async for chunk in repository.photos_of(connection, download):
        # Whether the file of a copy is there was asked when it was prepared.
        names = [] if download.is_of_copies else [photo.filename for photo in chunk]
        making.add(chunk, lost=await stored.lost(names))
        await asyncio.sleep(0)
    layout = making.finish()
    if not layout:
        raise DownloadOver
    return layout


@dataclass(slots=True)
class _Making:
    """An archive that is being laid out."""

    download: Download
    layout: Layout[Content] = field(default_factory=Layout[Content])
    names: Numbered = field(default_factory=Numbered)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    last_moment: datetime = datetime.min  # noqa: DTZ901 - the format knows no time zones

    def add(self, photos: Sequence[ArchivedPhoto], *, lost: Collection[str]) -> None:
        for photo in photos:
            extension = "jpg" if photo.is_picture else photo.filename.rpartition(".")[2]
            name = file_name(photo.original_filename, extension)
            self.last_moment = max(self.last_moment, photo.moment)
            failure = MISSING if photo.filename in lost else photo.failure
            if failure is not None:
                self.left_out.append((name, failure))
                continue
            path = self.names.unique(self._folder(photo), name)
            content = Content(
                Original(self.download.event_id, photo.filename),
                photo.id,
                is_copy=self.download.is_of_copies,
            )
            self._add(path, photo.size_bytes, photo.crc32, photo.moment, content, photo.filename)

    def finish(self) -> Layout[Content]:
        """Return all of it; what is left out is told in a file of the archive itself."""
        if self.left_out:
            lines = [f"{name}: {reason}" for name, reason in self.left_out]
            told = ["These photos are not in this archive:", *lines, ""]
            text = "\r\n".join(told).encode()
            path = self.names.unique("", NOT_INCLUDED)
            content = Content(None, text=text)
            self._add(path, len(text), zlib.crc32(text), self.last_moment, content, "")
        return self.layout

    def _add(
        self,
        path: str,
        size_bytes: int,
        crc32: int,
        moment: datetime,
        content: Content,
        version: str,
    ) -> None:
        file = File(path.encode(), size_bytes, crc32, dos_time(moment))
        self.layout.add(Entry(file, content), version=version)

    def _folder(self, photo: ArchivedPhoto) -> str:
        match self.download.folders:
            case Folders.NONE:
                return ""
            case Folders.DAY:
                return day_name(photo.moment)
            case Folders.PHOTOGRAPHER:
                name = self.download.photographers.get(str(photo.photographer_id), "")
                return folder_name(name, NO_PHOTOGRAPHER)
