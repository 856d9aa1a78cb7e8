"""Of whom a request is, where it came through proxies.

Behind a proxy the connection is the proxy's. What it says of the client counts only where it is
trusted (`FORWARDED_ALLOW_IPS`), and of what it says the nearest address that is no trusted proxy's:
everything further left is what the client itself sent.
"""

from functools import lru_cache

from starlette.types import Scope

from libs.common.addresses import Networks, parsed_address

_FORWARDED_FOR = b"x-forwarded-for"
_FORWARDED_PROTO = b"x-forwarded-proto"
#: Addresses that are known to be trusted, or not to be.
KEPT_AT_MOST = 4096


class Forwarded:
    """Takes the client's address and scheme from proxies that are trusted, and from no others.

    Not uvicorn's own: with `*` that one believes the leftmost address, which is what the client
    sent where a proxy adds to the header and does not replace it. Here it is the rightmost.
    """

    def __init__(self, *, trusted: str) -> None:
        """`trusted` names addresses and networks, separated by commas, or is `*`."""
        self._trusted = Networks.of(trusted)
        # Each request of a connection is of the same address.
        self._is_trusted = lru_cache(KEPT_AT_MOST)(
            lambda host: self._trusted.have(parsed_address(host))
        )

    def believe(self, scope: Scope) -> None:
        """Put into a request's scope what a trusted proxy says of it."""
        client = scope.get("client")
        if client and self._is_trusted(client[0]):
            self._believe(scope)

    def _believe(self, scope: Scope) -> None:
        hops: list[str] = []
        for name, value in scope["headers"]:
            if name == _FORWARDED_PROTO and value.strip() in (b"http", b"https"):
                scope["scheme"] = value.strip().decode()
            elif name == _FORWARDED_FOR:
                hops += value.decode("latin-1").split(",")
        for hop in reversed(hops):
            address = parsed_address(_without_port(hop.strip()))
            if address is None:
                # No proxy of ours writes that; who came to it is the last that is known.
                return
            scope["client"] = (str(address), 0)
            # With `*` whoever connects is a proxy, and nobody else is.
            if not self._trusted.name(address):
                return


def _without_port(hop: str) -> str:
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    host, _, port = hop.rpartition(":")
    return host if port.isdecimal() and ":" not in host and host else hop
