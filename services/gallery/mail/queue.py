"""Mails are queued in the transaction of what causes them, and are sent once it has committed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from services.gallery.links.rules import Purpose
from services.gallery.mail import repository as mails
from services.gallery.mail.repository import MailBacklog, NewMail
from services.gallery.mail.rules import (
    ADDRESS_KEY,
    DEFAULT_LANGUAGE,
    LANGUAGES,
    MAILS,
    Template,
    usable_address,
)

__all__ = [
    "Addressee",
    "MailBacklog",
    "forget_waiting_links",
    "mails_waiting",
    "queue_mail",
    "queue_mail_to_address",
    "queue_mails",
    "send_again",
]


@dataclass(frozen=True, slots=True)
class Addressee:
    """Who gets a mail, where, in which language, and what the template is filled with."""

    user_id: int
    email: str
    language: str | None
    values: Mapping[str, object]


async def queue_mail(
    connection: AsyncConnection,
    template: Template,
    *,
    user_id: int,
    to: str | None = None,
    language: str | None = None,
    values: Mapping[str, object] | None = None,
) -> bool:
    """Queue a mail to an account, at the address that it has unless another one is named.

    False when it has none, or is not active. `values` are JSON, fill the template, and are no
    secrets: a link in a mail is made as the mail is sent.
    """
    account = await mails.find_recipient(connection, user_id=user_id)
    address = to or (account.email if account else None)
    if account is None or address is None:
        return False
    addressee = Addressee(user_id, address, language or account.language, values or {})
    return bool(await queue_mails(connection, template, [addressee]))


async def queue_mails(
    connection: AsyncConnection, template: Template, addressees: Sequence[Addressee]
) -> int:
    """Queue a mail to each of many; return how many have an address that can be written to."""
    usable = [
        NewMail(template, address, _known(one.language), one.user_id, one.values)
        for one in addressees
        if (address := usable_address(one.email)) is not None
    ]
    await mails.insert_mails(connection, usable)
    return len(usable)


async def forget_waiting_links(connection: AsyncConnection, user_id: int) -> None:
    """Do not send the links any more that wait to be: the account has another address."""
    for template, kind in MAILS.items():
        if kind.link is Purpose.OPEN_ACCOUNT:
            await mails.drop_waiting(connection, template, user_id=user_id)


async def queue_mail_to_address(
    connection: AsyncConnection, template: Template, address: str, *, key: str, language: str
) -> None:
    """Queue a mail to whoever has an account with this address, if anybody has.

    `key` is the form by which addresses are compared.
    Which account that is, is looked up as the mail is sent: for whom asks now, it takes as long
    whether there is one or not. One of the same kind that waits for the address is left out: its
    link would be the newer one.
    """
    await mails.drop_waiting(connection, template, recipient=address)
    mail = NewMail(template, address, _known(language), values={ADDRESS_KEY: key})
    await mails.insert_mails(connection, [mail])


async def mails_waiting(connection: AsyncConnection) -> MailBacklog:
    """Return how the queue is, for the operators' gauges."""
    return await mails.backlog(connection)


async def send_again(connection: AsyncConnection) -> int:
    """Have the mails sent once more that were given up; return how many.

    Those with one-time links are left out: whoever wants one asks for a new one.
    """
    return await mails.revive_mails(connection)


def _known(language: str | None) -> str:
    return language if language in LANGUAGES else DEFAULT_LANGUAGE
