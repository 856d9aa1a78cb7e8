"""A person changes their own account, and opens it on another device by a link."""

from dataclasses import dataclass
from datetime import timedelta

from libs.common.accounts.tokens import Tokens
from libs.common.database.audit import Action, record
from libs.common.database.transactions import UnitOfWork
from libs.common.errors import Conflict, NotAuthenticated, NotFound
from libs.common.web.auth import Role
from services.gallery.accounts.names import email_key
from services.gallery.accounts.password_changes import LinkOver
from services.gallery.guests import repository as guests
from services.gallery.guests.repository import PersonRow
from services.gallery.guests.rules import (
    GuestChange,
    NameOfStaff,
    checked_email,
    checked_language,
    checked_name,
)
from services.gallery.links.repository import find_link, issue_link, use_link, void_links
from services.gallery.links.rules import Purpose, link_url
from services.gallery.mail.queue import forget_waiting_links, queue_mail
from services.gallery.mail.rules import Template
from services.gallery.sessions.sessions import IssuedSession, begin_login


@dataclass(frozen=True, slots=True)
class OpenedLink:
    """Whose account a link was for, and the session that it began, if it did."""

    person: PersonRow
    session: IssuedSession | None


async def own_settings(user_id: int, *, unit: UnitOfWork, lock: bool = False) -> PersonRow:
    """Return what a person can change of their account. Raises NotAuthenticated if it is gone."""
    person = await guests.find_person(unit.connection, user_id, lock=lock)
    if person is None:
        msg = "This account is gone. Join again."
        raise NotAuthenticated(msg)
    return person


async def change_own_account(user_id: int, change: GuestChange, *, unit: UnitOfWork) -> PersonRow:
    """Return the account as it is now. Raises InvalidInput, Conflict, NotAuthenticated.

    Another address is the account's once the link that is sent there was opened; whoever has the
    old one is told.
    """
    person = await own_settings(user_id, unit=unit, lock=True)
    values: dict[str, object] = {}
    if change.name is not None and (name := checked_name(change.name)) != person.name:
        if person.has_password:
            msg = "You log in by your username: it stays as it is."
            raise Conflict(msg)
        if await guests.looks_like_staff(unit.connection, name):
            raise NameOfStaff
        values["username"] = name
    if change.language is not None:
        values["language"] = checked_language(change.language)
    if change.wants_news is not None:
        values["wants_news"] = change.wants_news
    if values:
        await guests.change_person(unit.connection, user_id, values)
    if change.email is not None:
        await _change_email(person, change.email, unit=unit)
    if values or change.email is not None:
        await record(unit.connection, Action.ACCOUNT_CHANGED, actor_id=user_id, account_id=user_id)
    return await own_settings(user_id, unit=unit)


async def send_own_link(user_id: int, *, unit: UnitOfWork) -> None:
    """Have a link to the account sent to its address. Raises Conflict, NotAuthenticated."""
    person = await own_settings(user_id, unit=unit, lock=True)
    address = person.pending_email or person.email
    if address is None:
        msg = "Your account has no email address: name one first."
        raise Conflict(msg)
    if person.has_password and person.pending_email is None:
        msg = "Log in with your password on the other device."
        raise Conflict(msg)
    await _send_link(person, address, unit=unit)


async def show_own_link(user_id: int, *, public_url: str, unit: UnitOfWork) -> str:
    """Return a link that opens the account on another device, once, within minutes."""
    await own_settings(user_id, unit=unit)
    token = await issue_link(unit.connection, user_id, Purpose.OTHER_DEVICE)
    await record(unit.connection, Action.LINK_REQUESTED, actor_id=user_id, account_id=user_id)
    return link_url(public_url, Purpose.OTHER_DEVICE, token)


async def open_link(
    token: str,
    *,
    lifetime: timedelta,
    user_agent: str | None,
    tokens: Tokens,
    unit: UnitOfWork,
) -> OpenedLink:
    """Use a link up: it proves the address that it was sent to, and logs its account in.

    One that was sent by mail logs nobody in who has a password: whoever reads a mistyped address
    would be in. Raises NotFound for a token that is none, LinkOver.
    """
    purposes = (Purpose.OPEN_ACCOUNT, Purpose.OTHER_DEVICE)
    if await find_link(unit.connection, token, *purposes) is None:
        raise NotFound("Link", "account")
    used = await use_link(unit.connection, token, *purposes)
    if used is None:
        raise LinkOver
    person = await guests.find_person(unit.connection, used.user_id, lock=True)
    if person is None:
        raise LinkOver
    if used.email is not None:
        await _prove(person, used.email, unit=unit)
    session = None
    is_let_in = used.purpose is Purpose.OTHER_DEVICE or not person.has_password
    if is_let_in and person.role is Role.PARTICIPANT:
        session = await begin_login(
            person.user_id,
            person.role,
            lifetime=lifetime,
            user_agent=user_agent,
            tokens=tokens,
            unit=unit,
            by=used.purpose.value,
        )
    return OpenedLink(await own_settings(person.user_id, unit=unit), session)


async def _prove(person: PersonRow, email: str, *, unit: UnitOfWork) -> None:
    """Raises LinkOver for an address that the account does not name any more."""
    if email == person.pending_email:
        key = email_key(email)
        # Where it is another account's, the link opens the account and proves nothing.
        is_proved = await guests.prove_email(
            unit.connection, person.user_id, email=email, email_key=key
        )
        if is_proved and person.email is not None:
            await queue_mail(
                unit.connection, Template.ADDRESS_CHANGED, user_id=person.user_id, to=person.email
            )
    elif email != person.email:
        raise LinkOver


async def _change_email(person: PersonRow, email: str, *, unit: UnitOfWork) -> None:
    if not email.strip():
        if person.has_password:
            msg = "You can log in by your email address: it can be replaced, not taken away."
            raise Conflict(msg)
        address = None
    else:
        address = checked_email(email)
    # Links that went to the address before, or still wait, must not open the account any more.
    await void_links(unit.connection, person.user_id, Purpose.OPEN_ACCOUNT)
    await forget_waiting_links(unit.connection, person.user_id)
    values: dict[str, object] = {"pending_email": None if address == person.email else address}
    if address is None:
        values |= {"email": None, "email_key": None}
    await guests.change_person(unit.connection, person.user_id, values)
    if values["pending_email"] is not None:
        await _send_link(person, str(address), unit=unit)


async def _send_link(person: PersonRow, address: str, *, unit: UnitOfWork) -> None:
    template = Template.CONFIRM_ADDRESS if person.has_password else Template.OPEN_ACCOUNT
    await queue_mail(unit.connection, template, user_id=person.user_id, to=address)
    await record(
        unit.connection,
        Action.LINK_REQUESTED,
        actor_id=person.user_id,
        account_id=person.user_id,
    )
