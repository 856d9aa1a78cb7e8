import pytest

from libs.common.visible_text import is_visible


@pytest.mark.parametrize(
    "name",
    [
        "Zoë & Max",
        "Fête de Zoé\u00a0!",
        "王芳",
        "葛\U000e0100城",
        "نرگس می\u200cخواهم",
        "क्\u200dष",
        "👩\u200d👩\u200d👧",
        "❤\ufe0f Anna \u2764\ufe0f\u200d🔥",
        "👩🏽\u200d⚕\ufe0f",
        "🙂\u200d↔\ufe0f",
        "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
        "1\ufe0f\u20e3",
        "🇫🇷",
        "\U0001fae9",  # newer than this Python's Unicode, perhaps
        "!",
    ],
)
def test_what_people_are_called_can_be_seen(name: str) -> None:
    assert is_visible(name)


@pytest.mark.parametrize(
    "hidden",
    list(
        "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b\u180e\u200b\u200c\u200d\u200e\u200f\u202a"
        "\u202e\u2028\u2029\u2060\u2064\u2066\u2069\u206f\u2800\u3164\ufe00\ufe0e\ufe0f\ufeff\uffa0"
        "\ufff9\U0001d173\U000e0001\U000e0041\U000e0100\x00\x07\n\x7f\x85\ue000\ud800\uffff"
    ),
)
def test_what_nobody_sees_or_turns_the_rest_round_is_found_everywhere(hidden: str) -> None:
    for name in (hidden, f"{hidden}Ann", f"An{hidden}n", f"Ann{hidden}", f"😀{hidden}Ann"):
        if hidden in "\ufe0e\ufe0f" and name.startswith("😀"):
            continue  # says how the emoji is drawn
        assert not is_visible(name), ascii(name)


@pytest.mark.parametrize("name", ["", " ", "\u00a0", "\u3000", "\u0301", "ann1\ufe0f"])
def test_blanks_accents_of_nothing_and_styles_of_letters_are_not_seen(name: str) -> None:
    assert not is_visible(name)
