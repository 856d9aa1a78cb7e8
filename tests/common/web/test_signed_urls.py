import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from libs.common.signing_keys import SigningKeys
from libs.common.storage.keys import guest_copy_key, photo_key, rendition_key, renditions_prefix
from libs.common.web.signed_urls import KEPT, MEDIA_PATH, LinkExpired, LinkInvalid, SignedUrls
from services.media.photos import media_key
from tests.support.clocks import clock_ahead

SECRET = "a secret of thirty-two characters"
URLS = SignedUrls(SigningKeys(SECRET))
EXPIRES = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
BEFORE = EXPIRES - timedelta(seconds=1)
KEY = "events/1/photos/abc.jpg"

keys = st.text(min_size=1)
moments = st.datetimes(
    min_value=datetime(2000, 1, 1),  # noqa: DTZ001 - hypothesis adds the time zone
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


def _parts(url: str) -> tuple[str, int, str]:
    split = urlsplit(url)
    query = parse_qs(split.query)
    return unquote(split.path.removeprefix(MEDIA_PATH)), int(query["e"][0]), query["s"][0]


@given(keys, moments)
def test_a_signed_url_verifies_until_it_expires(key: str, expires_at: datetime) -> None:
    parsed_key, expires, signature = _parts(URLS.sign(key, expires_at))

    assert parsed_key == key
    URLS.verify(key, expires, signature, expires_at.replace(microsecond=0) - timedelta(seconds=1))
    with pytest.raises(LinkExpired):
        URLS.verify(key, expires, signature, expires_at)


@pytest.mark.parametrize("ahead_seconds", [600, -600])
def test_the_signers_clock_makes_no_difference(ahead_seconds: int) -> None:
    """The moment is the event's, from its row."""
    elsewhere = subprocess.run(
        [sys.executable, "-c", f"from {__name__} import *; print(URLS.sign(KEY, EXPIRES))"],
        env=os.environ | clock_ahead(ahead_seconds),
        capture_output=True,
        text=True,
        check=True,
    )
    _, expires, signature = _parts(elsewhere.stdout.strip())

    URLS.verify(KEY, expires, signature, BEFORE)
    with pytest.raises(LinkExpired):
        URLS.verify(KEY, expires, signature, EXPIRES)


@given(keys, moments)
def test_the_same_object_and_expiry_give_the_same_url(key: str, expires_at: datetime) -> None:
    again = SignedUrls(SigningKeys(SECRET))

    assert again.sign(key, expires_at) == URLS.sign(key, expires_at)


@given(keys, keys, moments)
def test_a_signature_is_for_one_key_only(key: str, other: str, expires_at: datetime) -> None:
    assume(key != other)
    _, expires, signature = _parts(URLS.sign(key, expires_at))

    with pytest.raises(LinkInvalid):
        URLS.verify(other, expires, signature, BEFORE)


@given(st.integers())
def test_a_signature_is_for_one_expiry_only(offset: int) -> None:
    assume(offset != 0)
    _, expires, signature = _parts(URLS.sign(KEY, EXPIRES))

    with pytest.raises(LinkInvalid):
        URLS.verify(KEY, expires + offset, signature, BEFORE)


@given(st.text())
def test_any_other_signature_is_refused(forged: str) -> None:
    _, expires, signature = _parts(URLS.sign(KEY, EXPIRES))
    assume(forged != signature)

    with pytest.raises(LinkInvalid):
        URLS.verify(KEY, expires, forged, BEFORE)


@given(st.data())
def test_one_changed_letter_breaks_the_signature(data: st.DataObject) -> None:
    _, expires, signature = _parts(URLS.sign(KEY, EXPIRES))
    position = data.draw(st.integers(0, len(signature) - 1))
    letter = data.draw(st.characters())
    assume(letter != signature[position])

    with pytest.raises(LinkInvalid):
        URLS.verify(KEY, expires, signature[:position] + letter + signature[position + 1 :], BEFORE)


def test_digits_cannot_move_between_expiry_and_key() -> None:
    _, expires, signature = _parts(URLS.sign("1/a", EXPIRES))

    with pytest.raises(LinkInvalid):
        URLS.verify("/a", int(f"{expires}1"), signature, BEFORE)


def test_another_secret_signs_differently() -> None:
    _, expires, signature = _parts(URLS.sign(KEY, EXPIRES))

    with pytest.raises(LinkInvalid):
        SignedUrls(SigningKeys("another secret")).verify(KEY, expires, signature, BEFORE)


def test_an_invalid_link_does_not_tell_that_it_also_expired() -> None:
    _, expires, _ = _parts(URLS.sign(KEY, EXPIRES))

    with pytest.raises(LinkInvalid):
        URLS.verify(KEY, expires, "x", EXPIRES + timedelta(days=1))


def test_a_signature_has_128_bits() -> None:
    _, _, signature = _parts(URLS.sign(KEY, EXPIRES))

    assert len(signature) == 22  # base64 of 16 bytes, without padding


def test_a_moment_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        URLS.sign(KEY, datetime(2030, 1, 1))  # noqa: DTZ001 - the mistake under test


def test_a_link_stays_as_it_was_before_there_were_several_keys() -> None:
    """Browsers and bookmarks have it: the derivation must never change."""
    assert URLS.sign(KEY, EXPIRES) == (
        "/api/media/events/1/photos/abc.jpg?e=1893553445&s=cuyg-0AZMX7i-sGUI-n5WA"
    )


def test_a_link_of_the_previous_secret_stays_valid_and_new_ones_are_the_new_secrets() -> None:
    rotated = SignedUrls(SigningKeys("the next secret", SECRET))
    _, expires, signature = _parts(URLS.sign(KEY, EXPIRES))
    rotated.verify(KEY, expires, signature, BEFORE)
    assert rotated.sign(KEY, EXPIRES) == SignedUrls(SigningKeys("the next secret")).sign(
        KEY, EXPIRES
    )
    with pytest.raises(LinkInvalid):
        SignedUrls(SigningKeys("the next secret")).verify(KEY, expires, signature, BEFORE)


FOLDER = renditions_prefix(1, "abc.jpg")
FOR_GUESTS = (
    guest_copy_key(1, "abc.jpg"),
    rendition_key(1, "abc.jpg", "thumbnail"),
    rendition_key(1, "abc.jpg", "preview"),
)


@pytest.mark.parametrize("begin", ["", KEPT])
def test_what_guests_get_of_a_photo_has_one_signature(begin: str) -> None:
    names = [key.removeprefix(FOLDER) for key in FOR_GUESTS]
    urls = URLS.sign_folder(begin + FOLDER, names, EXPIRES)
    assert urls == [URLS.sign(begin + key, EXPIRES) for key in FOR_GUESTS]
    (signature,) = {_parts(url)[2] for url in urls}
    for key, url in zip(FOR_GUESTS, urls, strict=True):
        named, expires, _ = _parts(url)
        assert named == begin + key
        URLS.verify(named, expires, signature, BEFORE)


@pytest.mark.parametrize(
    "key",
    [
        photo_key(1, "abc.jpg"),
        rendition_key(1, "abd.jpg", "thumbnail"),
        rendition_key(2, "abc.jpg", "thumbnail"),
        FOLDER,
        FOLDER + "large.webp",
        FOLDER + "thumbnail.webp/more",
        FOLDER + "thumbnail.failed.json",
        FOLDER + "guest-copy.1.json",
        KEPT + FOR_GUESTS[1],
    ],
)
def test_the_signature_of_what_guests_get_opens_nothing_else(key: str) -> None:
    _, expires, signature = _parts(URLS.sign(FOR_GUESTS[1], EXPIRES))
    if key == FOLDER:
        # A folder is no object: media knows none by this key.
        assert media_key.parse(key) is None
        return
    with pytest.raises(LinkInvalid):
        URLS.verify(key, expires, signature, BEFORE)


@pytest.mark.parametrize("begin", ["", KEPT])
@pytest.mark.parametrize("key", FOR_GUESTS)
def test_what_is_signed_alone_opens_nothing_beside_it(begin: str, key: str) -> None:
    named, expires, signature = _parts(URLS.sign_alone(begin + key, EXPIRES))
    assert named == begin + key
    URLS.verify(named, expires, signature, BEFORE)
    for other in {*FOR_GUESTS, photo_key(1, "abc.jpg")} - {key}:
        with pytest.raises(LinkInvalid):
            URLS.verify(begin + other, expires, signature, BEFORE)


@pytest.mark.parametrize("key", FOR_GUESTS)
def test_a_link_of_a_former_release_opens_the_object_it_was_made_for_and_no_other(
    key: str,
) -> None:
    """Each had a signature of its own: browsers, bookmarks and mails have them."""
    former = {
        "guest-copy": "aU3UOpoc2he3GGxT1HJ_7w",
        "thumbnail.webp": "BkSZyionSyLXacebVUsMuw",
        "preview.webp": "rUKn62SZqOUKdvgKJmmCbA",
    }
    expires = int(EXPIRES.timestamp())
    for name, signature in former.items():
        if key.endswith(name):
            URLS.verify(key, expires, signature, BEFORE)
            with pytest.raises(LinkExpired):
                URLS.verify(key, expires, signature, EXPIRES)
        else:
            with pytest.raises(LinkInvalid):
                URLS.verify(key, expires, signature, BEFORE)
