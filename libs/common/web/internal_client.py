"""A client of another of our services, on the routes that are not for the public."""

import httpx

from libs.common.web.internal_token import INTERNAL_TOKEN_HEADER, internal_token


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
        timeout=timeout_seconds,
        headers={INTERNAL_TOKEN_HEADER: internal_token(secret)},
        # A service next door: no proxy of the environment lies between.
        trust_env=False,
    )
