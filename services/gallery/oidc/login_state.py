"""What a browser carries through the provider and back: a signed cookie, for ten minutes.

It binds the answer to the browser that asked (state), the token to this login (nonce), and the code
to us (PKCE's verifier); nothing is kept here meanwhile.
"""

import secrets
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta

import jwt
from fastapi import Request, Response

from libs.common.errors import InvalidInput
from libs.common.signing_keys import Purpose, SigningKeys
from libs.common.web.session_cookie import by_tls

LIFETIME = timedelta(minutes=10)
_COOKIE = "findme_oidc"
_ALGORITHM = "HS256"


class LoginNotBegun(InvalidInput):
    """The provider's answer is not for what this browser has asked, or too late."""

    def __init__(self) -> None:
        super().__init__("This login was begun elsewhere, or too long ago. Begin it again.")


@dataclass(frozen=True, slots=True)
class LoginState:
    """One login on its way; `path` is where it goes on."""

    path: str
    state: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    #: 43 to 128 characters (RFC 7636).
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(64), repr=False)


def keep(begun: LoginState, response: Response, request: Request) -> None:
    """Give it to the browser."""
    keys: SigningKeys = request.app.state.signing_keys
    claims = asdict(begun) | {"exp": datetime.now(UTC) + LIFETIME}
    response.set_cookie(
        _name(request),
        jwt.encode(claims, keys.current(Purpose.LOGIN_STATE).key, algorithm=_ALGORITHM),
        max_age=int(LIFETIME.total_seconds()),
        httponly=True,
        # It must come with the provider's redirect.
        samesite="lax",
        secure=by_tls(request),
    )


def kept(request: Request, *, state: str) -> LoginState:
    """Return the login that this browser has begun. Raises LoginNotBegun."""
    keys: SigningKeys = request.app.state.signing_keys
    for key in keys.valid(Purpose.LOGIN_STATE):
        try:
            claims = jwt.decode(
                request.cookies.get(_name(request), ""),
                key.key,
                algorithms=[_ALGORITHM],
                options={"require": ["exp"]},
            )
            claims.pop("exp")
            begun = LoginState(**claims)
        except (jwt.PyJWTError, TypeError):
            continue
        if secrets.compare_digest(begun.state.encode(), state.encode(errors="surrogatepass")):
            return begun
    raise LoginNotBegun


def forget(response: Response, request: Request) -> None:
    """Take it back: it is good once."""
    response.delete_cookie(_name(request), httponly=True, samesite="lax", secure=by_tls(request))


def _name(request: Request) -> str:
    return f"__Host-{_COOKIE}" if by_tls(request) else _COOKIE
