"""Addresses of the internet as they are compared, and the networks that settings name."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address


def parsed_address(host: str) -> Address | None:
    """Return an address, without its zone; an IPv4 one that came as IPv6 is IPv4."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def is_this_machine(host: str) -> bool:
    """Whether every machine takes this name or address for itself, so that it leads nobody here."""
    address = parsed_address(host)
    if address is None:
        return host.lower() == "localhost" or host.lower().endswith(".localhost")
    return address.is_loopback or address.is_unspecified


@dataclass(frozen=True, slots=True)
class Networks:
    """Addresses and networks, or with `*` everybody."""

    is_everybody: bool
    named: tuple[IPv4Network | IPv6Network, ...]

    @classmethod
    def of(cls, setting: str) -> "Networks":
        """Read a setting such as 127.0.0.1,10.0.0.0/8; empty it is nobody. Raises ValueError."""
        if setting == "*":
            return cls(is_everybody=True, named=())
        return cls(
            is_everybody=False,
            named=tuple(ip_network(one.strip()) for one in setting.split(",")) if setting else (),
        )

    def have(self, address: Address | None) -> bool:
        """Whether whoever has this address, or none, is of them."""
        return self.is_everybody or self.name(address)

    def name(self, address: Address | None) -> bool:
        """Whether this very address is among those that are named."""
        return address is not None and any(address in network for network in self.named)
