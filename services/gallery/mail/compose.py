"""A mail as it is sent: from a template to a subject, a text, and the same in HTML."""

from collections.abc import Mapping
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.gallery.mail.rules import LANGUAGES, Template, one_line

TEMPLATES = Path(__file__).with_name("templates")
_MONTHS: Final = {
    "en": "January February March April May June July August September October November December",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
}
#: The parts that a template's file sets; `subject` and `paragraphs` in all of them.
_OPTIONAL_PARTS = ("action", "afterwards")


class Composer:
    """Fills the templates; one per process, as reading them takes longer than filling them."""

    def __init__(self, *, sender: str) -> None:
        """`sender` is the From header: an address, or a name with one in angle brackets."""
        self._sender = sender
        # What others chose (names) is escaped in HTML, and a single line in both.
        self._html = _environment(escapes=True)
        self._text = _environment(escapes=False)

    def compose(
        self,
        template: Template,
        language: str,
        recipient: str,
        values: Mapping[str, object],
        *,
        link: str | None = None,
        unsubscribe: str | None = None,
        message_id: str,
        date: datetime,
    ) -> EmailMessage:
        """Return the message. Raises ValueError for an address that no header can hold."""
        tidy = {
            name: one_line(value) if isinstance(value, str) else value
            for name, value in values.items()
        }
        known = {"link": link, "unsubscribe": unsubscribe, "language": language} | tidy
        message = EmailMessage(policy=SMTP)
        message["From"] = self._sender
        message["To"] = Address(addr_spec=recipient)
        message["Subject"] = one_line(self._parts(self._text, template, language, known)["subject"])
        message["Date"] = format_datetime(date)
        # The same at every attempt: a mail that comes twice is told as one.
        message["Message-ID"] = f"<{message_id}@{self.domain}>"
        # No machine answers it (RFC 3834).
        message["Auto-Submitted"] = "auto-generated"
        if unsubscribe is not None:
            message["List-Unsubscribe"] = f"<{unsubscribe}>"
            message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        message.set_content(self._page(self._text, "layout.txt.j2", template, language, known))
        message.add_alternative(
            self._page(self._html, "layout.html.j2", template, language, known), subtype="html"
        )
        return message

    @property
    def domain(self) -> str:
        """The sender's, which our message ids end with."""
        return parseaddr(self._sender)[1].rpartition("@")[2] or "localhost"

    def _page(
        self,
        environment: Environment,
        layout: str,
        template: Template,
        language: str,
        values: Mapping[str, object],
    ) -> str:
        parts = self._parts(environment, template, language, values)
        return environment.get_template(layout).render({**values, **parts})

    @staticmethod
    def _parts(
        environment: Environment, template: Template, language: str, values: Mapping[str, object]
    ) -> dict[str, str]:
        """Return what the template's file sets: a subject, paragraphs, a button's words."""
        spoken = language if language in LANGUAGES else LANGUAGES[0]
        file = environment.get_template(f"{spoken}/{template.value}.j2")
        module = file.make_module(dict(values))
        parts: dict[str, str] = {"subject": module.subject, "paragraphs": module.paragraphs}  # type: ignore[attr-defined]
        return parts | {name: getattr(module, name, "") for name in _OPTIONAL_PARTS}


def day(value: str, language: str) -> str:
    """Return an ISO 8601 moment's day, as people write it: 3 June 2026."""
    moment = datetime.fromisoformat(value)
    month = _MONTHS[language].split()[moment.month - 1]
    number = "1er" if language == "fr" and moment.day == 1 else str(moment.day)
    return f"{number} {month} {moment.year}"


def _environment(*, escapes: bool) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=escapes,  # noqa: S701 - it is off for what is no HTML
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters["day"] = day
    return environment
