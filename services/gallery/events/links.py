"""The addresses of an event's photos, which end with the event."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from libs.common.photo_downloads import DOWNLOADS_PATH
from libs.common.storage.keys import (
    GUEST_COPY,
    photo_key,
    rendition_key,
    rendition_name,
    renditions_prefix,
)
from libs.common.web.signed_urls import KEPT, SignedUrls
from services.gallery.events.rules import EventEnd

_FOR_GUESTS = (GUEST_COPY, rendition_name("thumbnail"), rendition_name("preview"))

#: Addresses for whoever passes by change so often, and hold for as long again; browsers keep bytes.
LINK_TURN = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class PhotoUrls:
    """Where a photo is had: as large as the reader may have it, and made smaller."""

    whole: str
    thumbnail: str
    preview: str


class PhotoLinks:
    """Signs addresses that are the same at every call, so that browsers keep the bytes."""

    def __init__(self, urls: SignedUrls, *, grace: timedelta) -> None:
        """`grace` is how long after its end an event is kept for those who run it."""
        self._urls = urls
        self._grace = grace

    def sign(self, key: str, end: EventEnd) -> str:
        """Return the address of an object; of an event that is over, for those who run it."""
        begin, until = self._valid(end)
        return self._urls.sign(begin + key, until)

    def of_photo(
        self, event_id: int, filename: str, end: EventEnd, *, for_guest: bool
    ) -> PhotoUrls:
        """Return the addresses of a photo: for guests of their copy, else of the original."""
        begin, until = self._valid(end)
        folder = begin + renditions_prefix(event_id, filename)
        copy, thumbnail, preview = self._urls.sign_folder(folder, _FOR_GUESTS, until)
        whole = copy if for_guest else self._urls.sign(begin + photo_key(event_id, filename), until)
        return PhotoUrls(whole, thumbnail, preview)

    def for_screen(
        self, event_id: int, filename: str, end: EventEnd, *, now: datetime
    ) -> PhotoUrls:
        """Return what guests have of a photo of an open event, for hours instead of until its end.

        Whoever copies an address from a screen has no more of it than that, once it is taken down.
        """
        until = min(end.expires_at, _for_hours(now))
        folder = renditions_prefix(event_id, filename)
        return PhotoUrls(*self._urls.sign_folder(folder, _FOR_GUESTS, until))

    def of_cover(self, event_id: int, filename: str, end: EventEnd, *, now: datetime) -> str:
        """Return a photo's preview and nothing else of it, for hours.

        Whoever has the event's code gets it, also who has not joined, and of a hidden photo.
        """
        begin, until = self._valid(end)
        key = begin + rendition_key(event_id, filename, "preview")
        return self._urls.sign_alone(key, min(until, _for_hours(now)))

    def _valid(self, end: EventEnd) -> tuple[str, datetime]:
        """Return what begins the keys of the event's links, and until when they are valid."""
        if end.is_over:
            return KEPT, max(end.expires_at + self._grace, end.kept_until)
        return "", end.expires_at

    def sign_download(self, key: str, expires_at: datetime) -> str:
        """Return the address of photos that somebody takes along, or of how far that is."""
        return self._urls.sign(key, expires_at, under=DOWNLOADS_PATH)


def _for_hours(now: datetime) -> datetime:
    """Return until when an address holds that is asked for now: the same until the next turn."""
    turns = int(now.timestamp() // LINK_TURN.total_seconds())
    return datetime.fromtimestamp((turns + 2) * LINK_TURN.total_seconds(), UTC)
