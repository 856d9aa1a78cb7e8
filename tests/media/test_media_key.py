import pytest

from services.media.photos.media_key import Original, Rendition, parse


def test_the_key_of_an_original_is_understood() -> None:
    assert parse("events/12/photos/ab.jpg") == Original(12, "ab.jpg")


@pytest.mark.parametrize(("name", "side"), [("thumbnail", 400), ("preview", 1600)])
def test_the_key_of_a_rendition_is_understood(name: str, side: int) -> None:
    rendition = parse(f"events/12/renditions/ab.jpg/{name}.webp")

    assert rendition == Rendition(Original(12, "ab.jpg"), name)
    assert rendition.longest_side_px == side


@pytest.mark.parametrize(
    "key",
    [
        "events/12/photos/ab.jpg",
        "events/12/renditions/ab.jpg/thumbnail.webp",
        "events/12/renditions/a.webp/preview.webp",
    ],
)
def test_what_was_understood_has_the_same_key_again(key: str) -> None:
    understood = parse(key)

    assert understood is not None
    assert understood.key == key


@pytest.mark.parametrize(
    "key",
    [
        "",
        "events/12/photos/",
        "events/12/photos/a/b",
        "events/012/photos/a",
        "events/0/photos/a",
        "events/٣/photos/a",
        "events/1234567890123456789/photos/a",
        "events/12/renditions/a/poster.webp",
        "events/12/renditions/a/thumbnail.jpg",
        "events/12/renditions/a/b/thumbnail.webp",
        "users/1/selfies/a.jpg",
        "x/events/12/photos/a",
        "events/12/photos/a\n/b",
    ],
)
def test_other_keys_are_neither(key: str) -> None:
    assert parse(key) is None
