import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gallery.sessions.rules import MAX_LABEL_CHARACTERS, UNKNOWN, label_of

MOZILLA = "Mozilla/5.0"


@pytest.mark.parametrize(
    ("user_agent", "label"),
    [
        (
            f"{MOZILLA} (X11; Linux x86_64) Gecko/20100101 Firefox/140.0",
            "Firefox on Linux",
        ),
        (
            f"{MOZILLA} (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko)"
            " Chrome/138.0.0.0 Mobile Safari/537.36",
            "Chrome on Android",
        ),
        (
            f"{MOZILLA} (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15"
            " (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
            "Safari on iPhone",
        ),
        (
            f"{MOZILLA} (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
            " Chrome/138.0.0.0 Safari/537.36 Edg/138.0.0.0",
            "Edge on Windows",
        ),
        ("python-httpx/0.28.1", "python-httpx"),
        ("FindMe watcher/1.0", "FindMe watcher"),
        ("", UNKNOWN),
        (None, UNKNOWN),
        ("<script>", UNKNOWN),
    ],
)
def test_a_login_is_called_as_its_owner_knows_it(user_agent: str | None, label: str) -> None:
    assert label_of(user_agent) == label


@given(st.text())
def test_any_user_agent_has_a_short_and_printable_label(user_agent: str) -> None:
    label = label_of(user_agent)
    assert label.isprintable()
    assert label.isascii()
    assert 0 < len(label) <= MAX_LABEL_CHARACTERS
