"""Routes that are for our own services alone: the token that opens them, and who shows it.

The token is derived from the services' common secret, so that nothing more need be configured,
and tells nobody the secret itself.
"""

import functools
import hmac
import ssl
from typing import Annotated

import httpx
from fastapi import Header, Request

from libs.common.errors import NotAllowed
from libs.common.signing_keys import Purpose, SigningKey, SigningKeys

INTERNAL_TOKEN_HEADER = "X-Internal-Token"  # noqa: S105 - the header's name
#: A service next door takes a connection at once; what it is asked for may take longer.
CONNECT_SECONDS = 5.0


def internal_token(keys: SigningKeys) -> str:
    """Return the value of the header, in hexadecimal."""
    return _token(keys.current(Purpose.INTERNAL))


def verify_internal_token(token: str, keys: SigningKeys) -> bool:
    """Whether the token is ours; takes as long for a wrong one as for the right one."""
    # As bytes: compare_digest refuses text that is not ASCII, and a header may be anything.
    return any(
        hmac.compare_digest(token.encode(), _token(key).encode())
        for key in keys.valid(Purpose.INTERNAL)
    )


def _token(key: SigningKey) -> str:
    return key.key.hex()


def internal_client(
    base_url: str,
    *,
    keys: SigningKeys,
    timeout_seconds: float,
    transport: httpx.AsyncBaseTransport | None = None,
) -> httpx.AsyncClient:
    """Return the one client of the process; `transport` reaches a service without a socket."""
    return httpx.AsyncClient(
        base_url=base_url,
        transport=transport,
        verify=_trusted_authorities(),
        timeout=httpx.Timeout(timeout_seconds, connect=CONNECT_SECONDS),
        headers={INTERNAL_TOKEN_HEADER: internal_token(keys)},
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
    if not verify_internal_token(x_internal_token, request.app.state.signing_keys):
        msg = "This address is for FindMe's own services."
        raise NotAllowed(msg)
