"""Accounts of tests, and the tokens that log them in."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from libs.common.accounts.principal import Role
from libs.common.accounts.tokens import TokenClaims, Tokens
from libs.common.signing_keys import SigningKeys

#: What all services of a test sign and verify with.
SECRET = "a secret that is used by the tests only"
KEYS = SigningKeys(SECRET)
#: Longer than any test.
LIFETIME = timedelta(hours=1)


@dataclass(frozen=True)
class Person:
    """An account and its token."""

    id: int
    name: str
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return bearer(self.token)


def subject_of(user_id: int) -> uuid.UUID:
    """Who a test's tokens of the account are about."""
    return uuid.uuid5(uuid.NAMESPACE_OID, f"subject {user_id}")


def session_of(user_id: int) -> uuid.UUID:
    """The login of an account that a test has made."""
    return uuid.uuid5(uuid.NAMESPACE_OID, f"session {user_id}")


def issue_token(
    user_id: int,
    role: Role,
    *,
    keys: SigningKeys = KEYS,
    session_id: uuid.UUID | None = None,
    lifetime: timedelta = LIFETIME,
) -> str:
    """A token of the login that the account was made with (`Rows.person`), or of another one."""
    claims = TokenClaims(subject_of(user_id), session_id or session_of(user_id), role)
    return Tokens(keys).issue(claims, expires_at=datetime.now(UTC) + lifetime)


def bearer(token: str) -> dict[str, str]:
    """The header that logs the token's owner in."""
    return {"Authorization": f"Bearer {token}"}
