import pytest

from libs.common.messaging.bus.topology import matches


@pytest.mark.parametrize(
    ("pattern", "routing_key", "expected"),
    [
        ("photo.uploaded.07", "photo.uploaded.07", True),
        ("photo.uploaded.07", "photo.uploaded.08", False),
        ("photo.uploaded.*", "photo.uploaded.08", True),
        ("*.*.08", "photo.uploaded.08", True),
        ("photo.*", "photo.uploaded.08", False),
        ("photo.*.*.*", "photo.uploaded.08", False),
        ("*", "photo", True),
    ],
)
def test_a_star_stands_for_exactly_one_word(pattern: str, routing_key: str, expected: bool) -> None:
    assert matches(pattern, routing_key) is expected
