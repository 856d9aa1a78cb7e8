"""Access tokens: who the caller is and what role they have, as a signed JWT (RFC 7519)."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import jwt

from libs.common.errors import NotAuthenticated

_ALGORITHM = "HS256"


class Role(StrEnum):
    """What an account may do; the value is its `user_type`."""

    PARTICIPANT = "user"
    PHOTOGRAPHER = "photographer"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Principal:
    """The authenticated caller."""

    user_id: int
    role: Role


class Tokens:
    """Issues and verifies access tokens with the services' common secret."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def issue(self, principal: Principal, *, lifetime: timedelta) -> str:
        """Return a token that is valid from now for `lifetime`."""
        now = datetime.now(UTC)
        claims = {
            "sub": str(principal.user_id),
            "role": principal.role.value,
            "iat": now,
            "exp": now + lifetime,
        }
        return jwt.encode(claims, self._secret, algorithm=_ALGORITHM)

    def verify(self, token: str) -> Principal:
        """Raises NotAuthenticated when the token is not ours, malformed or expired."""
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=[_ALGORITHM],
                options={"require": ["exp", "sub", "role"]},
            )
            return Principal(user_id=int(claims["sub"]), role=Role(claims["role"]))
        except (jwt.InvalidTokenError, ValueError, TypeError) as error:
            msg = "The session has expired or is not valid. Log in again."
            raise NotAuthenticated(msg) from error
