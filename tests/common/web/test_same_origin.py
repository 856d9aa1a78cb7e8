import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from libs.common.web.same_origin import is_same_origin


@pytest.mark.parametrize(
    ("headers", "is_ours"),
    [
        # A browser that knows says so; nothing else counts then.
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "same-site", "origin": "https://findme.example"}, False),
        ({"sec-fetch-site": "cross-site", "origin": "https://findme.example"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"sec-fetch-site": ""}, False),
        # Others, and all of them without TLS, name where the page is from.
        ({"origin": "https://findme.example"}, True),
        ({"origin": "http://findme.example"}, True),
        ({"origin": "https://FindMe.example:443"}, True),
        ({"origin": "http://findme.example:80"}, True),
        ({"origin": "https://findme.example:8443"}, False),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "https://findme.example.evil.example"}, False),
        ({"origin": "https://evil.example/findme.example"}, False),
        ({"origin": "https://findme.example@evil.example"}, False),
        ({"origin": "ftp://findme.example"}, False),
        ({"origin": "null"}, False),
        ({"origin": ""}, False),
        ({"origin": "https://["}, False),
        ({"origin": "https://findme.example:port"}, False),
        # Nothing is said.
        ({}, False),
    ],
)
def test_only_our_own_pages_are_of_our_origin(headers: dict[str, str], *, is_ours: bool) -> None:
    assert is_same_origin(Headers(headers | {"host": "findme.example"})) is is_ours


@pytest.mark.parametrize("host", ["findme.example:8000", "192.0.2.1:8000", "[2001:db8::1]:8000"])
def test_the_port_counts(host: str) -> None:
    assert is_same_origin(Headers({"origin": f"http://{host}", "host": host}))
    bare = host.removesuffix(":8000")
    assert not is_same_origin(Headers({"origin": f"http://{bare}", "host": host}))


@given(st.text(), st.text())
def test_odd_headers_are_not_ours_and_no_error(origin: str, host: str) -> None:
    headers = Headers(raw=[(b"origin", origin.encode()), (b"host", host.encode())])
    assert is_same_origin(headers) in (True, False)


def test_without_a_host_nothing_is_ours() -> None:
    assert not is_same_origin(Headers({"origin": "http://"}))
