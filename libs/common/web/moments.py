"""Moments in requests: with a zone, and in years that can be reckoned with."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator

#: A lifetime that is added, or another zone, leads out of the calendar from the years at its ends.
FIRST_YEAR, LAST_YEAR = 1900, 2199


def sensible(moment: datetime) -> datetime:
    """Return the moment; without a zone it is UTC. Raises ValueError for years that are no date."""
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        msg = f"must lie in the years {FIRST_YEAR} to {LAST_YEAR}"
        raise ValueError(msg)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


Moment = Annotated[datetime, AfterValidator(sensible)]
