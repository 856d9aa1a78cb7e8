"""Mails as they are read: both languages, text and HTML, and nothing that others can break in."""

from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.signing_keys import SigningKeys
from services.gallery.mail.compose import TEMPLATES, Composer, day
from services.gallery.mail.rules import (
    LANGUAGES,
    MAILS,
    Template,
    is_lasting,
    language_of,
    one_line,
    pause_seconds,
    usable_address,
)
from services.gallery.mail.unsubscribe import Unsubscribing

VALUES: dict[str, object] = {
    "event": "Gala",
    "count": 3,
    "until": "2026-07-01T12:00:00+00:00",
    "erased": "2026-07-31T12:00:00+00:00",
}
COMPOSER = Composer(sender="FindMe <photos@example.org>")


def composed(
    template: Template = Template.PHOTOS_AVAILABLE, language: str = "en", **changes: Any
) -> EmailMessage:
    return COMPOSER.compose(
        template,
        language,
        changes.pop("recipient", "ann@example.org"),
        VALUES | changes,
        link="https://findme.example/x#token=abc",
        unsubscribe="https://findme.example/u?token=1" if MAILS[template].is_news else None,
        message_id="findme-1",
        date=datetime(2026, 6, 1, tzinfo=UTC),
    )


def text_of(message: EmailMessage, kind: str = "plain") -> str:
    part = message.get_body((kind,))
    assert part is not None
    content: str = part.get_content()
    return content


def test_every_mail_has_a_template_in_every_language_and_no_other_file_is_there() -> None:
    for language in LANGUAGES:
        files = {path.stem for path in (TEMPLATES / language).iterdir()}
        assert files == {template.value for template in Template} == {one.value for one in MAILS}


@pytest.mark.parametrize("template", Template)
def test_both_languages_say_it_in_their_own_words_with_text_html_and_link(
    template: Template,
) -> None:
    subjects = set()
    for language in LANGUAGES:
        message = composed(template, language)
        subjects.add(message["Subject"])
        assert "None" not in text_of(message)
        assert "{" not in text_of(message) + message["Subject"]
        if MAILS[template].link or MAILS[template].page:
            assert "\nhttps://findme.example/x#token=abc\n" in text_of(message).replace("\r", "")
            assert 'href="https://findme.example/x#token=abc"' in text_of(message, "html")
        assert f'lang="{language}"' in text_of(message, "html")
        assert message["Auto-Submitted"] == "auto-generated"
        assert message["Message-ID"] == "<findme-1@example.org>"
    assert len(subjects) == len(LANGUAGES)


def test_a_single_photo_is_one_and_days_are_written_out() -> None:
    assert composed(count=1)["Subject"] == "A new photo of you: Gala"
    assert composed(count=2)["Subject"] == "2 new photos of you: Gala"
    assert composed(language="fr", count=1)["Subject"] == "Une nouvelle photo de vous : Gala"
    assert "until 1 July 2026" in " ".join(text_of(composed()).split())
    assert day("2026-07-01T12:00:00+00:00", "fr") == "1er juillet 2026"
    assert "until" not in text_of(composed(until=None))


def test_a_name_breaks_neither_out_of_a_header_nor_into_html() -> None:
    name = 'Gala\r\nBcc: all@example.org\n\n<script>alert("x")</script>\u202e'
    message = composed(event=name)
    raw = message.as_bytes()
    assert message["Bcc"] is None
    assert b"\nBcc" not in raw
    html = text_of(message, "html")
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "<script>" in text_of(message)
    assert "\u202e" not in message["Subject"] + text_of(message)


@given(st.text(max_size=400))
def test_whatever_an_event_is_called_the_mail_keeps_its_headers(name: str) -> None:
    message = composed(event=name.encode(errors="replace").decode())
    headers = message.as_bytes().partition(b"\r\n\r\n")[0]
    assert sum(line.lower().startswith(b"to:") for line in headers.split(b"\r\n")) == 1
    assert sum(line.lower().startswith(b"subject:") for line in headers.split(b"\r\n")) == 1
    assert b"\r\nBcc" not in headers


@given(st.text())
def test_one_line_is_one_line_and_says_it_again_the_same(text: str) -> None:
    once = one_line(text)
    assert len(once.splitlines()) <= 1
    assert len(once) <= 200
    assert one_line(once) == once


def test_news_can_be_unsubscribed_by_one_click_and_other_mails_not_at_all() -> None:
    news, other = composed(), composed(Template.PASSWORD_RESET)
    assert news["List-Unsubscribe"] == "<https://findme.example/u?token=1>"
    assert news["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert "https://findme.example/u?token=1" in text_of(news)
    assert other["List-Unsubscribe"] is None


@pytest.mark.parametrize(
    ("address", "usable"),
    [
        ("ann@example.org", "ann@example.org"),
        ("Ann@EXAMPLE.org", "Ann@example.org"),
        ("ann@bücher.example", "ann@xn--bcher-kva.example"),
        ("ann@example.org, bob@example.org", None),
        ("ann@example.org\r\nBcc: bob@example.org", None),
        ("ann>@example.org", None),
        ("ann", None),
        ("", None),
    ],
)
def test_only_what_is_one_address_is_written_to(address: str, usable: str | None) -> None:
    assert usable_address(address) == usable


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("fr", "fr"),
        ("fr-CA,fr;q=0.8,en;q=0.5", "fr"),
        ("de,en;q=0.3,fr;q=0.9", "fr"),
        ("de", "en"),
        ("fr;q=0", "en"),
        ("fr;q=x, ;;;, en", "en"),
        ("en, fr", "en"),
    ],
)
def test_a_browser_says_which_language_its_owner_reads(header: str, language: str) -> None:
    assert language_of(header) == language


def test_pauses_grow_from_a_minute_to_an_hour() -> None:
    assert [pause_seconds(attempts) for attempts in (1, 2, 3, 7, 1000)] == [
        60,
        120,
        240,
        3600,
        3600,
    ]


@pytest.mark.parametrize(
    ("code", "words", "lasting"),
    [
        (550, "5.1.1 no such user", True),
        (552, "too large", True),
        (450, "4.2.1 come back later", False),
        (550, "5.7.1 relaying denied", False),
        (530, "log in first", False),
        (535, "who are you?", False),
    ],
)
def test_what_is_the_mails_fault_lasts_and_what_is_ours_waits(
    code: int, words: str, *, lasting: bool
) -> None:
    assert is_lasting(code, words) is lasting


@given(st.integers(min_value=1, max_value=2**63 - 1), st.text(max_size=60))
def test_only_our_own_tokens_unsubscribe(user_id: int, forged: str) -> None:
    ours = Unsubscribing(SigningKeys("a secret of thirty-two characters"))
    token = ours.token(user_id)
    assert ours.user_id(token) == user_id
    assert Unsubscribing(SigningKeys("another secret of thirty-two chars")).user_id(token) is None
    assert ours.user_id(f"{user_id}.{forged}") is None
    assert ours.user_id(forged) is None
