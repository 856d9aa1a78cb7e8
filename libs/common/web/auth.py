"""Who is calling, and in what role: an access token (a signed JWT, RFC 7519).

It comes as a bearer token, or as the cookie that lets `<img src>` work without a header.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated

import jwt
from fastapi import Depends, Request

from libs.common.errors import NotAllowed, NotAuthenticated

_ALGORITHM = "HS256"
#: By so much the clocks of two machines may differ without ending anybody's session early.
CLOCK_LEEWAY_SECONDS = 60
TOKEN_COOKIE = "access_token"  # noqa: S105 - the cookie's name


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
                leeway=CLOCK_LEEWAY_SECONDS,
                # It is ours by its signature: that it comes from the future only says that the
                # clock of whoever issued it is ahead of this machine's.
                options={"require": ["exp", "sub", "role"], "verify_iat": False},
            )
            return Principal(user_id=int(claims["sub"]), role=Role(claims["role"]))
        except (jwt.InvalidTokenError, ValueError, TypeError) as error:
            msg = "The session has expired or is not valid. Log in again."
            raise NotAuthenticated(msg) from error


async def current_principal(request: Request) -> Principal:
    """Raises NotAuthenticated when the request carries no valid token."""
    tokens: Tokens = request.app.state.tokens
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    token = credentials.strip() if scheme.lower() == "bearer" else request.cookies.get(TOKEN_COOKIE)
    if not token:
        msg = "Log in first: no access token was sent."
        raise NotAuthenticated(msg)
    return tokens.verify(token)


CurrentPrincipal = Annotated[Principal, Depends(current_principal)]


def require(*roles: Role) -> Callable[[Principal], Awaitable[Principal]]:
    """Return a dependency that lets through only these roles."""

    async def check(principal: CurrentPrincipal) -> Principal:
        if principal.role not in roles:
            names = " or ".join(sorted(role.name.lower() for role in roles))
            msg = f"Only a {names} may do this."
            raise NotAllowed(msg)
        return principal

    return check


Participant = Annotated[Principal, Depends(require(Role.PARTICIPANT))]
Photographer = Annotated[Principal, Depends(require(Role.PHOTOGRAPHER))]
PhotographerOrAdmin = Annotated[Principal, Depends(require(Role.PHOTOGRAPHER, Role.ADMIN))]
ParticipantOrAdmin = Annotated[Principal, Depends(require(Role.PARTICIPANT, Role.ADMIN))]
Admin = Annotated[Principal, Depends(require(Role.ADMIN))]
