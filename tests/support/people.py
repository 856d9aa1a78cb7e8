"""Accounts of tests, and the tokens that log them in."""

from dataclasses import dataclass
from datetime import timedelta

from libs.common.web.auth import Principal, Role, Tokens

#: What all services of a test sign and verify with.
SECRET = "a secret that is used by the tests only"


@dataclass(frozen=True)
class Person:
    """An account and its token."""

    id: int
    name: str
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return bearer(self.token)


def issue_token(user_id: int, role: Role) -> str:
    """A token that is valid for longer than any test."""
    return Tokens(SECRET).issue(Principal(user_id, role), lifetime=timedelta(hours=1))


def bearer(token: str) -> dict[str, str]:
    """The header that logs the token's owner in."""
    return {"Authorization": f"Bearer {token}"}
