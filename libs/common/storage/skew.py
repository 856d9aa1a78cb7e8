"""A store that refuses requests for the moment that they were signed at seldom says so."""

from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

#: S3 takes signatures that are up to 15 minutes off, and answers 403 to others: to a HEAD
#: without a word.
NOTABLE_SKEW = timedelta(minutes=5)


def told_skew(date_of_answer: str, *, now: datetime) -> str | None:
    """Return how far this machine's clock is from the store's, None where that cannot matter.

    The store's is the `Date` of its answer.
    """
    try:
        ahead = now - parsedate_to_datetime(date_of_answer)
    except (TypeError, ValueError):
        return None
    if abs(ahead) < NOTABLE_SKEW:
        return None
    minutes = round(abs(ahead) / timedelta(minutes=1))
    side = "ahead of" if ahead > timedelta() else "behind"
    return f"this machine's clock is {minutes} minutes {side} the store's"
