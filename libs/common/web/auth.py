"""Who is calling, and in what role: by a token as a bearer, or as the cookie of `<img src>`."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Final

from fastapi import Depends, Request

from libs.common.accounts.accounts import Accounts
from libs.common.accounts.api_keys import PREFIX
from libs.common.accounts.principal import Principal, Role
from libs.common.errors import NotAllowed, NotAuthenticated
from libs.common.web.openapi import API_KEY, BEARER, COOKIE, declares
from libs.common.web.same_origin import SAFE_METHODS, is_other_origin, is_same_origin
from libs.common.web.session_cookie import session_cookie

__all__ = [
    "Admin",
    "CurrentPrincipal",
    "Participant",
    "ParticipantOrAdmin",
    "Photographer",
    "PhotographerOrAdmin",
    "Principal",
    "Role",
    "Uploader",
    "current_principal",
    "current_uploader",
    "known_principal",
    "principal_if_any",
    "require",
    "require_guest",
    "require_own_pages",
    "require_same_origin",
]


@declares(security=(BEARER, COOKIE))
async def current_principal(request: Request) -> Principal:
    """Raises NotAuthenticated when the request carries no token that stands for a login.

    A cookie is sent by the browser whoever asks it to: it is enough for reading, and for changes
    that our own pages make. Raises NotAllowed for others.
    """
    accounts: Accounts = request.app.state.accounts
    return await accounts.principal(_token(request))


def known_principal(request: Request) -> Principal | None:
    """Return what `current_principal` does, None where that would have to ask the database.

    Raises what it raises.
    """
    accounts: Accounts = request.app.state.accounts
    return accounts.known_principal(_token(request))


async def principal_if_any(request: Request) -> Principal | None:
    """Who calls; None for nobody, and for a session that is over, whose owner begins anew.

    Raises NotAllowed as `current_principal` does.
    """
    try:
        return await current_principal(request)
    except NotAuthenticated:
        return None


def require_guest(role: Role) -> None:
    """Raises NotAllowed for who joins an event, and is logged in as somebody else than a guest."""
    if role is not Role.PARTICIPANT:
        msg = f"You are logged in as {role.name.lower()}. Log out to join as a guest."
        raise NotAllowed(msg)


def require_own_pages(request: Request) -> None:
    """Refuse what another website has a browser send. Raises NotAllowed.

    For routes that take a form, which needs no preflight, and answer a session: any website could
    put a login of its own in place of the browser's. Clients that are no browser say nothing.
    """
    if is_other_origin(request.headers):
        msg = "Another website sent this form. Open the event's own page, and join there."
        raise NotAllowed(msg)


def require_same_origin(request: Request) -> None:
    """Let through what changes nothing, and what comes from our own pages. Raises NotAllowed."""
    if request.method not in SAFE_METHODS and not is_same_origin(request.headers):
        msg = "A cookie is not enough to change something: send the token as a bearer token."
        raise NotAllowed(msg)


def _token(request: Request) -> str:
    """Return the token that the request carries. Raises NotAuthenticated, NotAllowed."""
    token = _bearer(request)
    if token is None and (token := session_cookie(request)) is not None:
        require_same_origin(request)
    if token is not None and token.startswith(PREFIX):
        msg = "An API key is good for uploads and watchers alone. Log in for this."
        raise NotAllowed(msg)
    if not token:
        msg = "Log in first: no access token was sent."
        raise NotAuthenticated(msg)
    return token


def _bearer(request: Request) -> str | None:
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    return credentials.strip() if scheme.lower() == "bearer" else None


CurrentPrincipal = Annotated[Principal, Depends(current_principal)]


@declares(security=(BEARER, COOKIE, API_KEY))
async def current_uploader(request: Request) -> Principal:
    """A photographer or an admin who is logged in, or whoever shows a photographer's API key.

    Raises NotAuthenticated, NotAllowed.
    """
    accounts: Accounts = request.app.state.accounts
    bearer = _bearer(request)
    key = bearer if bearer and bearer.startswith(PREFIX) else request.headers.get("x-api-key")
    if key is not None:
        return await accounts.key_holder(key)
    return await require(Role.PHOTOGRAPHER, Role.ADMIN)(await current_principal(request))


_WITH_ARTICLE: Final = {
    Role.ADMIN: "an admin",
    Role.PHOTOGRAPHER: "a photographer",
    Role.PARTICIPANT: "a participant",
}


def require(*roles: Role) -> Callable[[Principal], Awaitable[Principal]]:
    """Return a dependency that lets through only these roles."""

    async def check(principal: CurrentPrincipal) -> Principal:
        if principal.role not in roles:
            names = " or ".join(sorted(_WITH_ARTICLE[role] for role in roles))
            msg = f"Only {names} may do this. Log in as one."
            raise NotAllowed(msg)
        return principal

    return check


Participant = Annotated[Principal, Depends(require(Role.PARTICIPANT))]
Photographer = Annotated[Principal, Depends(require(Role.PHOTOGRAPHER))]
PhotographerOrAdmin = Annotated[Principal, Depends(require(Role.PHOTOGRAPHER, Role.ADMIN))]
ParticipantOrAdmin = Annotated[Principal, Depends(require(Role.PARTICIPANT, Role.ADMIN))]
Admin = Annotated[Principal, Depends(require(Role.ADMIN))]
#: With an API key, too: for these routes `principal.only_event_id` counts.
Uploader = Annotated[Principal, Depends(current_uploader)]
