"""The time zones that events may have, and what clocks show in them.

The names are those that the IANA gives to places (`zone.tab`), UTC, and fixed offsets (Etc/GMT-2):
every system knows them. Former ones, which browsers still say, are the ones that replaced them (its
links).
"""

from datetime import datetime, timedelta
from functools import cache
from importlib import resources
from zoneinfo import ZoneInfo

from libs.common.errors import InvalidInput

UTC_NAME = "UTC"


class TimeZoneUnknown(InvalidInput):
    """There is no such time zone."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"There is no time zone {name[:100]!r}. Name a place of the IANA's list,"
            " as Europe/Paris, or UTC."
        )


def checked_time_zone(name: str) -> str:
    """Return a time zone's name as it is stored. Raises TimeZoneUnknown."""
    tidy = name.strip()
    if (known := _names().get(tidy.lower())) is None:
        raise TimeZoneUnknown(tidy)
    return known


def shown_clock(
    time_zone: str | None,
    instant: datetime | None,
    *,
    camera: datetime | None,
    offset: int | None = None,
) -> tuple[datetime | None, int | None]:
    """Return when a photo was taken as it is told, and by how many minutes that is ahead of UTC.

    In an event that has a time zone by its clocks, else by the camera's, whose offset may be known.
    """
    if time_zone is None or instant is None:
        return camera, offset
    return clock_in(time_zone, instant)


def clock_in(time_zone: str, instant: datetime) -> tuple[datetime, int]:
    """Return what a clock in the time zone shows then, and its minutes ahead of UTC."""
    shown = instant.astimezone(ZoneInfo(time_zone))
    return shown.replace(tzinfo=None), (shown.utcoffset() or timedelta()) // timedelta(minutes=1)


@cache
def _names() -> dict[str, str]:
    """Return the names that are stored, by all that may be said for them in lower case."""
    tables = resources.files("tzdata") / "zoneinfo"
    rows = [line.split("\t") for line in _lines(tables.joinpath("zone.tab").read_text())]
    places = {row[2] for row in rows} | {UTC_NAME}
    known = {name.lower(): name for name in places}
    # Before the links, of which some lead to these.
    known |= dict.fromkeys(("etc/utc", "etc/gmt", "gmt"), UTC_NAME)
    for line in _lines(tables.joinpath("tzdata.zi").read_text()):
        kind, *said = line.split()
        if kind == "Z" and said[0].startswith("Etc/GMT"):
            known.setdefault(said[0].lower(), said[0])
        if kind == "L" and (target := known.get(said[0].lower())) is not None:
            known.setdefault(said[1].lower(), target)
    return known


def _lines(table: str) -> list[str]:
    return [line for line in table.splitlines() if line and not line.startswith("#")]
