"""Routes that are for our own services alone: the token that opens them, and who shows it.

The token is derived from the services' common secret, so that nothing more need be configured,
and tells nobody the secret itself.
"""

import functools
import hashlib
import hmac
import ssl
from typing import Annotated

import httpx
from fastapi import Header, Request

from libs.common.errors import NotAllowed

INTERNAL_TOKEN_HEADER = "X-Internal-Token"  # noqa: S105 - the header's name
_PURPOSE = b"internal"
#: A service next door takes a connection at once; what it is asked for may take longer.
CONNECT_SECONDS = 5.0


def internal_token(secret: str) -> str:
    """Return the value of the header: HMAC-SHA256 (RFC 2104) in hexadecimal."""
    return hmac.new(secret.encode(), _PURPOSE, hashlib.sha256).hexdigest()


def verify_internal_token(token: str, secret: str) -> bool:
    """Whether the token is ours; takes as long for a wrong one as for the right one."""
    # As bytes: compare_digest refuses text that is not ASCII, and a header may be anything.
    return hmac.compare_digest(token.encode(), internal_token(secret).encode())


def internal_client(
    base_url: str,
    *,
    secret: str,
    timeout_seconds: float,
    transport: httpx.AsyncBaseTransport | None = None,
) -> httpx.AsyncClient:
    """Return the one client of the process; `transport` reaches a service without a socket."""
    return httpx.AsyncClient(
        base_url=base_url,
        transport=transport,
        verify=_trusted_authorities(),
        timeout=httpx.Timeout(timeout_seconds, connect=CONNECT_SECONDS),
        headers={INTERNAL_TOKEN_HEADER: internal_token(secret)},
        # A service next door: no proxy of the environment lies between.
        trust_env=False,
    )


@functools.cache
def _trusted_authorities() -> ssl.SSLContext:
    """Those that httpx trusts by itself; to read all their certificates takes 30 ms."""
    return httpx.create_ssl_context(trust_env=False)


async def require_internal(
    request: Request, x_internal_token: Annotated[str, Header()] = ""
) -> None:
    """Let through only our own services. Raises NotAllowed."""
    secret = request.app.state.settings.secret_key.get_secret_value()
    if not verify_internal_token(x_internal_token, secret):
        msg = "This address is for FindMe's own services."
        raise NotAllowed(msg)
