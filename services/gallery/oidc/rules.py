"""Whom a provider's word lets in, and as what."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from libs.common.accounts.principal import Role


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody as the provider knows them; `subject` is never anybody else's there."""

    issuer: str
    subject: str
    email: str | None
    is_email_verified: bool


@dataclass(frozen=True, slots=True)
class Known:
    """An account of ours."""

    user_id: int
    role: Role
    is_active: bool


class Verdict(StrEnum):
    """What becomes of somebody whom the provider sends."""

    LOG_IN = "log in"
    LINK = "link their account, and log in"
    CREATE = "make a photographer's account, and log in"
    REFUSE = "refuse"


def verdict(
    identity: Identity,
    *,
    linked: Known | None,
    by_email: Known | None,
    photographer_domains: Collection[str],
) -> Verdict:
    """Decide by the account that is linked already, and the one of the same address.

    An address counts only if the provider has verified it: whoever may write any there would be
    anybody here. Guests are not logged in this way, as any provider's users may be guests.
    """
    if linked is not None:
        return Verdict.LOG_IN if _is_staff(linked) else Verdict.REFUSE
    if identity.email is None or not identity.is_email_verified:
        return Verdict.REFUSE
    if by_email is not None:
        return Verdict.LINK if _is_staff(by_email) else Verdict.REFUSE
    domain = identity.email.rpartition("@")[2].lower()
    return Verdict.CREATE if domain in photographer_domains else Verdict.REFUSE


def local_path(path: str | None) -> str:
    """Return a path of our own pages to go on at: never another host's."""
    is_local = (
        path is not None
        and path.startswith("/")
        # Browsers take two slashes, and backslashes for slashes, for the begin of a host.
        and not path.startswith("//")
        and "\\" not in path
        and path.isascii()
        and path.isprintable()
    )
    return path if is_local and path is not None else "/"


def _is_staff(account: Known) -> bool:
    return account.is_active and account.role in (Role.PHOTOGRAPHER, Role.ADMIN)
