"""Somebody whom the provider has identified is logged in here."""

import secrets
from collections.abc import Collection
from datetime import timedelta

from libs.common.accounts.tokens import Tokens
from libs.common.database.database import Database
from libs.common.database.transactions import UnitOfWork
from libs.common.errors import NotAllowed
from libs.common.web.auth import Role
from services.gallery.accounts.login import find_by_email
from services.gallery.accounts.passwords import Passwords
from services.gallery.accounts.registration import create_account
from services.gallery.accounts.rules import NewAccount
from services.gallery.oidc import repository
from services.gallery.oidc.rules import Identity, Known, Verdict, verdict
from services.gallery.sessions.sessions import IssuedSession, begin_login


class NotLetIn(NotAllowed):
    """The provider knows them, and nobody here does."""

    def __init__(self) -> None:
        super().__init__(
            "There is no account of an administrator or a photographer for this login."
            " Ask an administrator for one with the same, verified address."
        )


async def log_in_identity(
    identity: Identity,
    *,
    photographer_domains: Collection[str],
    lifetime: timedelta,
    user_agent: str | None,
    tokens: Tokens,
    database: Database,
    passwords: Passwords,
) -> IssuedSession:
    """Begin a session of the account that is linked, of the same address, or new by the rule.

    Raises NotLetIn, AccountRefused.
    """
    async with database.read() as connection:
        linked = await repository.find_linked(connection, identity)
        by_email = None
        if linked is None and identity.email is not None:
            found = await find_by_email(connection, identity.email)
            if found is not None:
                by_email = Known(found.user_id, found.role, found.is_active)
    decided = verdict(
        identity, linked=linked, by_email=by_email, photographer_domains=photographer_domains
    )
    account = linked or by_email
    if decided is Verdict.CREATE and identity.email is not None:
        account = await _create(identity.email, database=database, passwords=passwords)
    if decided is Verdict.REFUSE or account is None:
        raise NotLetIn
    async for attempt in database.attempts():
        async with attempt as unit:
            if linked is None:
                await _link(identity, account.user_id, unit=unit)
            session = await begin_login(
                account.user_id,
                account.role,
                lifetime=lifetime,
                user_agent=user_agent,
                tokens=tokens,
                unit=unit,
                by="oidc",
            )
    return session


async def _create(email: str, *, database: Database, passwords: Passwords) -> Known:
    # A password that nobody knows: they log in by the provider.
    password = f"{secrets.token_urlsafe(32)}-aA1"
    user_id = await create_account(
        NewAccount.of(email, email, password),
        role=Role.PHOTOGRAPHER,
        actor_id=None,
        database=database,
        passwords=passwords,
    )
    return Known(user_id, Role.PHOTOGRAPHER, is_active=True)


async def _link(identity: Identity, user_id: int, *, unit: UnitOfWork) -> None:
    if not await repository.link(unit.connection, identity, user_id):
        # Two logins at once: the other one was first, with whichever account.
        linked = await repository.find_linked(unit.connection, identity)
        if linked is None or linked.user_id != user_id:
            raise NotLetIn
