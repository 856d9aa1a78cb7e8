"""Reads what a service has queued, as its recipients would: by a sender of the test's own."""

import re
from dataclasses import dataclass, field
from datetime import timedelta
from email.message import EmailMessage

from libs.common.database.database import Database
from services.gallery.mail.compose import Composer
from services.gallery.mail.sender import MailSender, SenderSettings
from services.gallery.mail.unsubscribe import Unsubscribing
from tests.support.people import KEYS

_TOKEN = re.compile(r"#token=(\S+)")


@dataclass
class Mailbox:
    """The mails that were sent, in their order; a transport that keeps them."""

    taken: list[tuple[str, EmailMessage]] = field(default_factory=list)

    async def send(self, message: EmailMessage, recipient: str) -> None:
        self.taken.append((recipient, message))

    async def rest(self) -> None:
        pass


async def sent_mails(database: Database) -> list[tuple[str, EmailMessage]]:
    """Send all mails that wait; return them with their recipients."""
    mailbox = Mailbox()
    sender = MailSender(
        database,
        mailbox,
        Composer(sender="FindMe <findme@findme.example>"),
        Unsubscribing(KEYS),
        SenderSettings("https://findme.example", keep=timedelta(days=1)),
    )
    while await sender.send_next():
        pass
    return mailbox.taken


def text_of(message: EmailMessage) -> str:
    part = message.get_body(("plain",))
    assert part is not None
    content: str = part.get_content()
    return content


def token_in(message: EmailMessage) -> str:
    """The token of the one-time link in a mail."""
    found = _TOKEN.search(text_of(message))
    assert found is not None, text_of(message)
    return found[1]
