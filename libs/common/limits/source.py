"""What a caller is counted by where nothing else is known of them: their address."""

from functools import lru_cache
from ipaddress import IPv6Address, ip_network

from libs.common.addresses import parsed_address
from libs.common.database.audit import caller_address

#: An IPv6 customer has at least so many bits of an address in common, and chooses the others.
IPV6_PREFIX = 64
#: Where there is none, as on a Unix socket: all who come by it are one.
NO_ADDRESS = "none"


def caller_source() -> str:
    """Return the source of the request in hand: an IPv4 address, or an IPv6 network."""
    return source_of(caller_address.get() or NO_ADDRESS)


@lru_cache(4096)
def source_of(host: str) -> str:
    """Return an address as it is counted; what is none is as it is."""
    address = parsed_address(host)
    if isinstance(address, IPv6Address):
        return str(ip_network((address, IPV6_PREFIX), strict=False))
    return str(address) if address else host
