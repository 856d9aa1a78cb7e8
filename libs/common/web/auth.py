"""Who is calling: a bearer token, or the cookie that lets `<img src>` work without a header."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request

from libs.common.errors import NotAllowed, NotAuthenticated
from libs.common.web.tokens import Principal, Role, Tokens

TOKEN_COOKIE = "access_token"  # noqa: S105 - the cookie's name


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
