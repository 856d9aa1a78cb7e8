"""What is remembered of links that were verified."""

import tracemalloc
from datetime import UTC, datetime

import pytest

from libs.common.web.signed_urls import MEDIA_PATH, LinkExpired, LinkInvalid, SignedUrls
from services.media.signed_links import SignedLinks
from tests.support.people import KEYS

KEY = "events/1/photos/abc.jpg"
OTHER = "events/1/photos/abd.jpg"
END = 1_900_000_000
QUERY = (
    SignedUrls(KEYS)
    .sign(KEY, datetime.fromtimestamp(END, UTC))
    .removeprefix(f"{MEDIA_PATH}{KEY}?")
    .encode()
)


@pytest.fixture
def links() -> SignedLinks:
    return SignedLinks(SignedUrls(KEYS))


def test_one_link_with_ever_other_additions_fills_no_memory(links: SignedLinks) -> None:
    links.end(KEY, QUERY, 0)
    tracemalloc.start()
    try:
        for number in range(200):
            assert links.end(KEY, QUERY + b"&x=%05d" % number + b"x" * 58_000, 0) == END
        assert tracemalloc.get_traced_memory()[0] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("is_known", [False, True])
def test_a_link_is_good_for_its_object_and_until_its_end(
    links: SignedLinks, *, is_known: bool
) -> None:
    if is_known:
        links.end(KEY, QUERY, 0)
    end, signature = QUERY.split(b"&")
    for spelling in (QUERY, signature + b"&" + end, QUERY.replace(b"e=", b"e=00"), b"a&" + QUERY):
        assert links.end(KEY, spelling, END - 1) == END
        with pytest.raises(LinkExpired):
            links.end(KEY, spelling, END)
        with pytest.raises(LinkInvalid):
            links.end(OTHER, spelling, 0)
    for nonsense in (
        b"",
        end,
        signature,
        QUERY + b"x",
        QUERY.replace(b"e=1", b"e=2"),
        b"e=" + b"9" * 5000 + b"&" + signature,
        b"e=x&" + signature,
        end + b"&s=\xff",
    ):
        with pytest.raises(LinkInvalid):
            links.end(KEY, nonsense, 0)
