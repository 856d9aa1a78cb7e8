"""Somebody gives their account another password: with the old one, or by a link in a mail."""

import uuid

from libs.common.database.audit import Action, record
from libs.common.database.database import Database
from libs.common.database.transactions import UnitOfWork
from libs.common.errors import Conflict, InvalidInput, NotAuthenticated, NotFound
from libs.common.limits.budgets import FAMILIAR, WRONG_PASSWORDS, WRONG_PASSWORDS_A_DAY
from libs.common.limits.limiter import Limiter
from libs.common.limits.source import caller_source
from services.gallery.accounts import repository as accounts
from services.gallery.accounts.names import email_key
from services.gallery.accounts.passwords import Passwords
from services.gallery.accounts.registration import AccountRefused
from services.gallery.accounts.repository import PasswordRow
from services.gallery.links.repository import find_link, use_link, void_links, void_links_of_address
from services.gallery.links.rules import LinkState, Purpose
from services.gallery.mail.queue import queue_mail, queue_mail_to_address
from services.gallery.mail.rules import Template, usable_address
from services.gallery.sessions.sessions import end_sessions


class LinkOver(InvalidInput):
    """The link was used, replaced by a newer one, or not used in time."""

    def __init__(self) -> None:
        super().__init__("This link is not valid any more. Ask for a new one.")


class WrongPassword(InvalidInput):
    """The current password is another one; no 401, after which clients would log in again."""

    def __init__(self) -> None:
        super().__init__("The current password is wrong.")


async def request_password_reset(email: str, *, language: str, unit: UnitOfWork) -> None:
    """Have a link sent to whoever has an account with this address; older links are void.

    It does the same for an address that nobody has: neither the answer nor its time tells.
    Raises InvalidInput for what is no address.
    """
    address = usable_address(email.strip())
    if address is None:
        msg = "A valid email address is required."
        raise InvalidInput(msg)
    await void_links_of_address(unit.connection, address, Purpose.PASSWORD_RESET)
    await queue_mail_to_address(
        unit.connection,
        Template.PASSWORD_RESET,
        address,
        key=email_key(email),
        language=language,
    )
    # Without the account: to look it up would tell whether there is one.
    await record(unit.connection, Action.PASSWORD_RESET_REQUESTED, actor_id=None)


async def reset_password(
    token: str, new_password: str, *, database: Database, passwords: Passwords, limiter: Limiter
) -> str:
    """Return the name of the account that the link was for; all of its logins end.

    Who has reset it logs in from there, however many others tried passwords.

    Raises NotFound for a token that is none, LinkOver, AccountRefused. A password that is refused
    leaves the link usable.
    """
    async with database.read() as connection:
        link = await find_link(connection, token, Purpose.PASSWORD_RESET)
        if link is None:
            raise NotFound("Link", "password reset")
        found = await accounts.find_password(connection, link.user_id)
        if link.state is not LinkState.USABLE or found is None:
            raise LinkOver
    password_hash = await _checked_hash(new_password, found, passwords=passwords)
    async for attempt in database.attempts():
        async with attempt as unit:
            used = await use_link(unit.connection, token, Purpose.PASSWORD_RESET)
            if used is None:
                raise LinkOver
            await accounts.replace_password(unit.connection, used.user_id, password_hash)
            await _password_was_changed(used.user_id, unit=unit)
            await record(
                unit.connection,
                Action.PASSWORD_RESET,
                actor_id=used.user_id,
                account_id=used.user_id,
            )
            [account] = await accounts.find_accounts(unit.connection, user_id=used.user_id)
    await limiter.remember(FAMILIAR.of("account", account.id, caller_source()))
    return account.username


async def change_password(
    user_id: int,
    current: str,
    new: str,
    *,
    session_id: uuid.UUID | None,
    database: Database,
    passwords: Passwords,
    limiter: Limiter,
) -> None:
    """Replace the password; all other logins of the account end.

    Raises WrongPassword, TooManyRequests, AccountRefused, Conflict for an account without a
    password, and NotAuthenticated for one that is gone.
    """
    async with database.read() as connection:
        found = await accounts.find_password(connection, user_id)
    if found is None:
        msg = "This account is gone. Register again."
        raise NotAuthenticated(msg)
    if found.password_hash is None:
        msg = "This account has no password: its links and devices open it."
        raise Conflict(msg)
    source = caller_source()
    async with limiter.guess(
        WRONG_PASSWORDS.of(user_id, source), WRONG_PASSWORDS_A_DAY.of(user_id, source)
    ) as guess:
        fits = (await passwords.verify(current, found.password_hash)).fits
        if not fits:
            guess.missed()
    if not fits:
        async with database.unit_of_work() as unit:
            await record(
                unit.connection,
                Action.LOGIN_FAILED,
                actor_id=user_id,
                account_id=user_id,
                details={"to": "change the password"},
            )
        raise WrongPassword
    if current == new:
        raise AccountRefused(["The new password must be another one."])
    password_hash = await _checked_hash(new, found, passwords=passwords)
    async for attempt in database.attempts():
        async with attempt as unit:
            # Unless somebody else has changed it meanwhile.
            if not await accounts.replace_password(
                unit.connection, user_id, password_hash, instead_of=found.password_hash
            ):
                raise WrongPassword
            await _password_was_changed(user_id, besides=session_id, unit=unit)
            await record(
                unit.connection, Action.PASSWORD_CHANGED, actor_id=user_id, account_id=user_id
            )


async def _checked_hash(password: str, account: PasswordRow, *, passwords: Passwords) -> str:
    """Return the new password's hash. Raises AccountRefused."""
    about = [account.username, account.email or ""]
    if problems := await passwords.problems(password, about=about):
        raise AccountRefused(problems)
    return await passwords.hash(password)


async def _password_was_changed(
    user_id: int, *, unit: UnitOfWork, besides: uuid.UUID | None = None
) -> None:
    """End what the old password has opened, and tell the account's owner."""
    await end_sessions(user_id, unit=unit, besides=besides)
    await void_links(unit.connection, user_id)
    await queue_mail(unit.connection, Template.PASSWORD_CHANGED, user_id=user_id)
