"""Links that this process has verified: a page's are asked for by all its guests."""

import re
from functools import lru_cache
from typing import Final

from starlette.datastructures import QueryParams

from libs.common.web.signed_urls import LinkExpired, LinkInvalid, SignedUrls

#: Some 5 MB. Kept is what a signature was made for and nothing else of a request, so that nobody
#: can fill it: with what is not ours, or with one link and ever other additions.
KEPT_AT_MOST: Final = 10_000

#: A query as `SignedUrls` makes it; any other is read by the rules for all of them.
_AS_MADE: Final = re.compile(rb"e=([0-9]{1,18})&s=([A-Za-z0-9_-]+)")


class SignedLinks:
    """Verifies signatures, and remembers which were good; whether a link has ended is not kept."""

    def __init__(self, signed_urls: SignedUrls) -> None:
        self._require_signed = lru_cache(KEPT_AT_MOST)(signed_urls.verify_signature)

    def end(self, key: str, query: bytes, now: float) -> int:
        """Return when the link ends, in seconds since 1970. Raises LinkInvalid, LinkExpired."""
        end, signature = _read(key, query)
        self._require_signed(key, end, signature)
        if now >= end:
            raise LinkExpired(key)
        return end


def _read(key: str, query: bytes) -> tuple[int, str]:
    """Return when the link says that it ends, and its signature. Raises LinkInvalid."""
    if found := _AS_MADE.fullmatch(query):
        return int(found[1]), found[2].decode()
    given = QueryParams(query)
    try:
        return int(given["e"]), given["s"]
    except (KeyError, ValueError) as error:
        raise LinkInvalid(key) from error
