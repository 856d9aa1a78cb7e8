"""The client's address is what the nearest proxy that is trusted says, and nothing further left."""

import pytest
from starlette.types import Scope

from libs.common.limits.source import source_of
from libs.common.web.forwarded import Forwarded

PROXY, GUEST = "10.0.0.1", "203.0.113.9"


def seen(peer: str, headers: list[tuple[str, str]], *, trusted: str) -> tuple[str, str]:
    """Address and scheme as the application sees them."""
    scope: Scope = {
        "type": "http",
        "client": (peer, 1234),
        "scheme": "http",
        "headers": [(name.encode(), value.encode()) for name, value in headers],
    }
    Forwarded(trusted=trusted).believe(scope)
    return scope["client"][0], scope["scheme"]


@pytest.mark.parametrize(
    ("peer", "sent", "trusted", "address"),
    [
        # Nobody's word but a proxy's counts.
        (GUEST, ["1.2.3.4"], "10.0.0.0/8", GUEST),
        (PROXY, [GUEST], "10.0.0.0/8", GUEST),
        # What the client itself sent comes first: nginx and others append to it.
        (PROXY, [f"1.2.3.4, {GUEST}"], "10.0.0.0/8", GUEST),
        (PROXY, ["1.2.3.4", GUEST], "10.0.0.0/8", GUEST),
        (PROXY, [f"1.2.3.4, {GUEST}"], "*", GUEST),
        # Through two of ours.
        (PROXY, [f"1.2.3.4, {GUEST}, 10.0.0.7"], "10.0.0.0/8", GUEST),
        (PROXY, [f"1.2.3.4, {GUEST}, ::ffff:10.0.0.7"], "10.0.0.0/8", GUEST),
        # All are ours: a client within.
        (PROXY, ["10.0.0.9, 10.0.0.7"], "10.0.0.0/8", "10.0.0.9"),
        (PROXY, [f"{GUEST}:5000"], "*", GUEST),
        (PROXY, ["[2001:db8::1]:5000"], "*", "2001:db8::1"),
        (PROXY, ["2001:db8::1"], "*", "2001:db8::1"),
        # No address: the nearest that is one counts.
        (PROXY, ["unknown"], "10.0.0.0/8", PROXY),
        (PROXY, [f"{GUEST}, unknown"], "10.0.0.0/8", PROXY),
        (PROXY, [""], "10.0.0.0/8", PROXY),
        (PROXY, [], "*", PROXY),
    ],
)
def test_the_nearest_address_that_is_no_trusted_proxy_counts(
    peer: str, sent: list[str], trusted: str, address: str
) -> None:
    headers = [("x-forwarded-for", value) for value in sent]
    assert seen(peer, headers, trusted=trusted)[0] == address


@pytest.mark.parametrize(
    ("peer", "said", "scheme"),
    [(PROXY, "https", "https"), (GUEST, "https", "http"), (PROXY, "javascript", "http")],
)
def test_the_scheme_is_taken_from_trusted_proxies_only(peer: str, said: str, scheme: str) -> None:
    headers = [("x-forwarded-proto", said)]
    assert seen(peer, headers, trusted="10.0.0.0/8")[1] == scheme


@pytest.mark.parametrize(
    ("host", "source"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("none", "none"),
    ],
)
def test_an_address_is_counted_as_its_customer_has_it(host: str, source: str) -> None:
    assert source_of(host) == source
