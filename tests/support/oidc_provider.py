"""A small OpenID provider on a real socket: as strict as one is, and wrong where it is told."""

import base64
import contextlib
import hashlib
import secrets
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, quote_plus, urlencode

from fastapi import FastAPI
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from tests.support.http_server import serving

CLIENT_ID = "findme"
CLIENT_SECRET = "what only the client knows"

Claims = dict[str, Any]


def _as_it_is(claims: Claims) -> Claims:
    return claims


@dataclass
class OidcProvider:
    """Who is logged in there, and what it says of them."""

    issuer: str = ""
    claims: Claims = field(default_factory=dict)
    #: Changes the ID token's claims before they are signed.
    twist: Callable[[Claims], Claims] = _as_it_is
    #: Another provider's key signs, though this one's id is told.
    is_signed_by_another: bool = False
    #: What userinfo answers; None leaves it to the ID token.
    userinfo: Claims | None = None
    has_broken_down: bool = False
    #: Each code once: nonce, PKCE's challenge, and where it was sent.
    codes: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    key: ECKey = field(default_factory=lambda: ECKey.generate_key("P-256", {"kid": "one"}))

    def app(self) -> FastAPI:
        app = FastAPI()
        for path, answer, method in (
            ("/.well-known/openid-configuration", self._describe, "GET"),
            ("/authorize", self._authorize, "GET"),
            ("/token", self._token, "POST"),
            ("/keys", self._keys, "GET"),
            ("/userinfo", self._userinfo, "GET"),
        ):
            app.router.add_route(path, answer, methods=[method])
        return app

    async def _describe(self, _: Request) -> Response:
        if self.has_broken_down:
            return Response(status_code=502)
        return JSONResponse(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "userinfo_endpoint": f"{self.issuer}/userinfo",
            }
        )

    async def _authorize(self, request: Request) -> Response:
        """Whoever comes has logged in before."""
        asked = request.query_params
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT_ID
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        code = secrets.token_urlsafe()
        self.codes[code] = (asked["nonce"], asked["code_challenge"], asked["redirect_uri"])
        answer = urlencode({"code": code, "state": asked["state"], "iss": self.issuer})
        return RedirectResponse(f"{asked['redirect_uri']}?{answer}")

    async def _token(self, request: Request) -> Response:
        basic = base64.b64encode(f"{CLIENT_ID}:{quote_plus(CLIENT_SECRET)}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {basic}":
            return JSONResponse({"error": "invalid_client"}, status_code=401)
        form = {
            name: values[0] for name, values in parse_qs((await request.body()).decode()).items()
        }
        known = self.codes.pop(form["code"], None)
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if known is None or known[1:] != (challenge, form["redirect_uri"]):
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 300,
            "nonce": known[0],
        } | self.claims
        key = ECKey.generate_key("P-256") if self.is_signed_by_another else self.key
        token = jwt.encode({"alg": "ES256", "kid": "one"}, self.twist(claims), key)
        return JSONResponse({"access_token": "at", "token_type": "Bearer", "id_token": token})

    async def _keys(self, _: Request) -> Response:
        return JSONResponse(KeySet([self.key]).as_dict())

    async def _userinfo(self, request: Request) -> Response:
        assert request.headers["authorization"] == "Bearer at"
        return JSONResponse(self.userinfo)


@contextlib.asynccontextmanager
async def running_provider() -> AsyncIterator[OidcProvider]:
    """Serve one that knows nobody yet."""
    provider = OidcProvider()
    async with serving(provider.app()) as url:
        provider.issuer = url
        yield provider
