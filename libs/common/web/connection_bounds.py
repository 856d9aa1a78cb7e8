"""How many connections a process has at a time: in all, and from one address.

Whoever opens thousands and says nothing keeps the others out of what the system allows a process.
Proxies that are believed speak for many, and are not counted by address.
"""

from collections import Counter
from functools import lru_cache

from libs.common.addresses import Networks, parsed_address
from libs.common.limits.source import source_of
from libs.common.telemetry.metrics import CONNECTIONS_REFUSED


class ConnectionBounds:
    """The open connections of one process, counted from their beginning to their end."""

    def __init__(self, *, in_all: int, per_address: int, proxies: str) -> None:
        """`proxies` are those that are believed, as `FORWARDED_ALLOW_IPS` names them."""
        self._in_all = in_all
        self._per_address = per_address
        self._proxies = Networks.of(proxies)
        self._open = 0
        self._by_address: Counter[str] = Counter()
        self._key = lru_cache(4096)(self._find_key)

    def admit(self, client: tuple[str, int] | None) -> bool:
        """Count a connection, unless it is one too many."""
        key = self._key(client[0]) if client else None
        if self._open >= self._in_all:
            CONNECTIONS_REFUSED.labels("in_all").inc()
            return False
        if key is not None and self._by_address[key] >= self._per_address:
            CONNECTIONS_REFUSED.labels("of_an_address").inc()
            return False
        self._open += 1
        if key is not None:
            self._by_address[key] += 1
        return True

    def release(self, client: tuple[str, int] | None) -> None:
        """A connection that was admitted has ended."""
        self._open -= 1
        key = self._key(client[0]) if client else None
        if key is not None:
            self._by_address[key] -= 1
            if not self._by_address[key]:
                del self._by_address[key]

    def _find_key(self, host: str) -> str | None:
        """Return what an address is counted by; None for one that is not."""
        address = parsed_address(host)
        if address is None or self._proxies.have(address):
            return None
        return source_of(host)
