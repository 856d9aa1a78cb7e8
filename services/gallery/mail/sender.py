"""The task that sends what is in the queue; every replica runs one."""

import asyncio
import time
from dataclasses import dataclass
from datetime import timedelta
from email.message import EmailMessage
from typing import NoReturn
from urllib.parse import quote

import structlog

from libs.common.database.connections import DATABASE_ERRORS
from libs.common.database.database import Database
from libs.common.database.transactions import UnitOfWork
from services.gallery import metrics
from services.gallery.links.repository import issue_link, sweep_links
from services.gallery.links.rules import link_url
from services.gallery.mail import repository as mails
from services.gallery.mail.compose import Composer
from services.gallery.mail.repository import Recipient, WaitingMail
from services.gallery.mail.rules import ADDRESS_KEY, MAILS, Template, pause_seconds, usable_address
from services.gallery.mail.transport import MailPutOff, MailRefused, MailServerAway, MailTransport
from services.gallery.mail.unsubscribe import Unsubscribing

log = structlog.get_logger(__name__)

POLL_SECONDS = 2.0
SWEEP_SECONDS = 600.0
FIRST_AWAY_SECONDS = 1.0
MAX_AWAY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class SenderSettings:
    """What the sender goes by."""

    #: The origin that links in mails begin with.
    public_url: str
    keep: timedelta
    poll_seconds: float = POLL_SECONDS


@dataclass(frozen=True, slots=True)
class ReadyMail:
    """What is sent, to which address, and whose that is."""

    message: EmailMessage
    address: str
    user_id: int


class MailSender:
    """Sends one mail after the other.

    A mail is taken in hand by a committed lease, then sent, then marked: nothing is locked
    while a mail server thinks. One whose sender dies in between is sent again when the lease is
    over, with the same Message-ID: at least once.
    """

    def __init__(
        self,
        database: Database,
        transport: MailTransport | None,
        composer: Composer,
        unsubscribing: Unsubscribing,
        settings: SenderSettings,
    ) -> None:
        self._database = database
        self._transport = transport
        self._composer = composer
        self._unsubscribing = unsubscribing
        self._settings = settings
        self._sweeps_at = 0.0

    async def run(self) -> NoReturn:
        """Work until cancelled; a mail server or a database that is away is waited for."""
        if self._transport is None:
            log.warning(
                "no_mail_server", reason="neither MAIL_HOST nor MAIL_DIR is set: mails wait"
            )
        away = 0.0
        try:
            while True:
                pause = self._settings.poll_seconds
                try:
                    if time.monotonic() >= self._sweeps_at:
                        await self._sweep()
                    while await self.send_next():
                        away = 0.0
                except MailServerAway as error:
                    away = min(max(2 * away, FIRST_AWAY_SECONDS), MAX_AWAY_SECONDS)
                    metrics.MAIL_SERVER_FAILURES.inc()
                    log.warning("mail_server_away", error=error, retry_in_seconds=away)
                    pause = away
                except DATABASE_ERRORS as error:
                    log.warning("mails_unknown", kind=type(error).__name__)
                await self._rest()
                await asyncio.sleep(pause)
        finally:
            await self._rest()

    async def send_next(self) -> bool:
        """Deal with the mail that is due longest; False when there is none.

        Raises MailServerAway, after which the mail waits like all others.
        """
        if self._transport is None:
            return False
        async with self._database.unit_of_work() as unit:
            mail = await mails.take_mail(unit.connection)
        if mail is None:
            return False
        ready = await self._ready(mail)
        if ready is None:
            return True
        try:
            await self._transport.send(ready.message, ready.address)
        except MailServerAway as error:
            await self._put_off(mail, str(error), seconds=0, counts=False)
            raise
        except MailPutOff as error:
            metrics.MAILS.labels("put_off").inc()
            await self._put_off(mail, str(error), seconds=pause_seconds(mail.attempts))
        except MailRefused as error:
            await self._give_up(mail, str(error), ready.user_id)
        else:
            metrics.MAILS.labels("sent").inc()
            async with self._database.unit_of_work() as unit:
                await mails.mail_is_sent(unit.connection, mail.id, user_id=ready.user_id)
        return True

    async def _rest(self) -> None:
        if self._transport is not None:
            await self._transport.rest()

    async def _ready(self, mail: WaitingMail) -> ReadyMail | None:
        """Return the mail with a link of this moment; None when there is nothing to send."""
        async with self._database.unit_of_work() as unit:
            recipient = await mails.find_recipient(
                unit.connection,
                user_id=mail.user_id,
                address=mail.recipient,
                address_key=str(mail.values.get(ADDRESS_KEY, "")),
            )
            address = _address(mail, recipient)
            if recipient is None or address is None:
                await mails.drop_mail(unit.connection, mail.id)
                metrics.MAILS.labels("dropped").inc()
                return None
            template = _meant(mail.template, recipient)
            link = await self._link(template, recipient, address, unit)
        language = mail.language if mail.user_id else recipient.language or mail.language
        try:
            message = self._composer.compose(
                template,
                language,
                address,
                mail.values,
                link=link,
                unsubscribe=self._unsubscribe_url(template, recipient),
                message_id=f"findme-{mail.id}-{mail.created_at.timestamp():.0f}",
                date=mail.created_at,
            )
        except Exception as error:
            # One mail that cannot be written must not keep the others from being sent.
            log.exception("mail_not_composed", mail_id=mail.id, template=mail.template.value)
            await self._give_up(mail, f"not composed: {type(error).__name__}", recipient.user_id)
            return None
        return ReadyMail(message, address, recipient.user_id)

    async def _link(
        self, template: Template, recipient: Recipient, address: str, unit: UnitOfWork
    ) -> str | None:
        kind = MAILS[template]
        if kind.link is not None:
            token = await issue_link(unit.connection, recipient.user_id, kind.link, email=address)
            return link_url(self._settings.public_url, kind.link, token)
        return self._settings.public_url + kind.page if kind.page else None

    def _unsubscribe_url(self, template: Template, recipient: Recipient) -> str | None:
        if not MAILS[template].is_news:
            return None
        token = quote(self._unsubscribing.token(recipient.user_id), safe="")
        return f"{self._settings.public_url}/api/unsubscribe?token={token}"

    async def _put_off(
        self, mail: WaitingMail, reason: str, *, seconds: float, counts: bool = True
    ) -> None:
        async with self._database.unit_of_work() as unit:
            await mails.put_mail_off(
                unit.connection, mail.id, seconds=seconds, reason=reason, counts=counts
            )

    async def _give_up(self, mail: WaitingMail, reason: str, user_id: int) -> None:
        metrics.MAILS.labels("refused").inc()
        # Without the server's words, which mostly quote the address: they are in the row.
        log.warning("mail_refused", mail_id=mail.id, template=mail.template.value)
        async with self._database.unit_of_work() as unit:
            await mails.mail_is_dead(unit.connection, mail.id, reason, user_id=user_id)

    async def _sweep(self) -> None:
        async with self._database.unit_of_work() as unit:
            ended = await mails.end_useless_mails(unit.connection)
            await mails.sweep_mails(unit.connection, keep=self._settings.keep)
            await sweep_links(unit.connection)
        if ended:
            metrics.MAILS.labels("too_late").inc(ended)
            log.error("mails_not_sent_in_time", count=ended)
        self._sweeps_at = time.monotonic() + SWEEP_SECONDS


def _address(mail: WaitingMail, recipient: Recipient | None) -> str | None:
    """Return where the mail goes; None when nobody is to get it."""
    if recipient is None or (MAILS[mail.template].is_news and not recipient.wants_news):
        return None
    if mail.user_id is not None:
        return mail.recipient
    # Not where it was asked for: two addresses may be alike to the database, with a letter of
    # another script in one of them, and belong to two people.
    return usable_address(recipient.email or "")


def _meant(template: Template, recipient: Recipient) -> Template:
    """Whoever has no password gets a link that opens the account instead of a new password."""
    if template is Template.PASSWORD_RESET and not recipient.has_password:
        return Template.OPEN_ACCOUNT
    return template
