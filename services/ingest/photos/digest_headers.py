"""What a request's headers say of its content: RFC 9530, and RFC 3230 which it replaces.

Of the algorithms that a sender may use SHA-256 is checked; it is what photos are known by.
"""

import base64
import binascii
import re
from collections.abc import Iterable

from starlette.datastructures import Headers

from libs.common.errors import InvalidInput

_SHA256_BYTES = 32
#: A member of a dictionary of RFC 8941: its key, and its value where that is bytes.
_MEMBER = re.compile(r"([a-z*][a-z0-9_.*-]*)(?:=:([A-Za-z0-9+/=]*):)?(?:;.*)?")
#: One of RFC 3230's instances.
_INSTANCE = re.compile(r"([A-Za-z0-9-]+)=([^,\s]+)")


class BadDigest(InvalidInput):
    """A header says something of the content that cannot be read, or two say different things."""


def announced_sha256(headers: Headers) -> bytes | None:
    """Return the SHA-256 that the request says its content has; None where it says none.

    Raises BadDigest.
    """
    found = {
        *_found(headers, "repr-digest", _MEMBER, "sha-256"),
        *_found(headers, "content-digest", _MEMBER, "sha-256"),
        *_found(headers, "digest", _INSTANCE, "SHA-256"),
    }
    if len(found) > 1:
        msg = "The request's digest headers contradict each other. Send the one that is right."
        raise BadDigest(msg)
    return next(iter(found), None)


def _found(headers: Headers, name: str, form: re.Pattern[str], algorithm: str) -> Iterable[bytes]:
    for part in ",".join(headers.getlist(name)).split(","):
        member = form.fullmatch(part.strip())
        if member is not None and member[1].lower() == algorithm.lower():
            yield _decoded(member[2] or "", name)
        elif member is None and algorithm.lower() in part.lower():
            raise _unreadable(name)


def _decoded(value: str, header: str) -> bytes:
    try:
        digest = base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise _unreadable(header) from error
    if len(digest) != _SHA256_BYTES:
        raise _unreadable(header)
    return digest


def _unreadable(header: str) -> BadDigest:
    example = "SHA-256=<base64>" if header == "digest" else "sha-256=:<base64>:"
    return BadDigest(
        f"The header {header.title()} cannot be read. Send it as `{example}`, or leave it out."
    )
