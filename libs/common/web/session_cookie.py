"""The cookie that carries a token, so that `<img src>` loads pictures without a header."""

from datetime import timedelta

from fastapi import Request, Response

#: The cookie's name without TLS.
TOKEN_COOKIE = "access_token"  # noqa: S105 - a name
#: With TLS: a browser takes it from this host alone, by TLS alone, and for all of it, so that no
#: other host of the same domain can put its own login in its place (RFC 6265bis, section 4.1.3.2).
SECURE_TOKEN_COOKIE = f"__Host-{TOKEN_COOKIE}"


def set_session_cookie(
    response: Response, request: Request, token: str, *, lifetime: timedelta
) -> None:
    """Have the browser send the token from now on; no script can read it."""
    response.set_cookie(
        _name(request),
        token,
        max_age=int(lifetime.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=by_tls(request),
    )
    response.headers["Cache-Control"] = "no-store"


def forget_session_cookie(response: Response, request: Request) -> None:
    """Have the browser forget the token."""
    response.delete_cookie(_name(request), httponly=True, samesite="lax", secure=by_tls(request))


def session_cookie(request: Request) -> str | None:
    """Return the token that came as a cookie, by the one name that it has here."""
    return request.cookies.get(_name(request))


def _name(request: Request) -> str:
    return SECURE_TOKEN_COOKIE if by_tls(request) else TOKEN_COOKIE


def by_tls(request: Request) -> bool:
    """Whether the browser came by TLS: the setting says, or a proxy that is believed."""
    mode: str = request.app.state.settings.secure_cookies
    return mode == "always" or (mode == "auto" and request.url.scheme == "https")
