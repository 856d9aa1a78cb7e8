"""The OpenID provider: where browsers are sent, and what its answer says (OpenID Connect Core 1.0).

By Authlib: the code flow with PKCE (RFC 7636), and the checks of the ID token.
"""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast
from urllib.parse import quote_plus

import httpx
import structlog
from anyio import CapacityLimiter
from authlib.common.errors import AuthlibBaseError
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, KeySetSerialization
from pydantic import BaseModel, ValidationError

from libs.common.errors import NotAuthenticated, Unavailable
from services.gallery.oidc.login_state import LoginState
from services.gallery.oidc.rules import Identity
from services.gallery.settings import GallerySettings

log = structlog.get_logger(__name__)

TIMEOUT_SECONDS = 10.0
#: Logins that wait for the provider at a time; more are asked to come back.
AT_ONCE = 20
METADATA_SECONDS = 3600.0
#: By so much the provider's clock may differ from ours.
LEEWAY_SECONDS = 60
SCOPE = "openid email profile"
CALLBACK_PATH = "/api/oidc/callback"
#: Asymmetric alone: what is signed by a shared secret, or not at all, is not the provider's word.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA")
_AS_JSON = {"Accept": "application/json"}
DISCOVERY_PATH = "/.well-known/openid-configuration"


class ProviderUnavailable(Unavailable):
    """The provider does not answer, or not as one does."""

    def __init__(self) -> None:
        super().__init__("The login service does not answer. Try again in a few seconds.")


class LoginRefused(NotAuthenticated):
    """The provider's answer lets nobody in; the reason is in the log, for operators."""

    def __init__(self, reason: str) -> None:
        super().__init__("The login service's answer was not accepted. Begin the login again.")
        self.reason = reason


class Metadata(BaseModel):
    """What a provider says of itself (OpenID Connect Discovery 1.0)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None


class Provider:
    """One issuer, with which we are registered as a client."""

    def __init__(
        self, issuer: str, *, client_id: str, client_secret: str | None, redirect_uri: str
    ) -> None:
        self.issuer = issuer
        self._client_id = client_id
        self._client_secret = client_secret
        self._redirect_uri = redirect_uri
        self._metadata: tuple[Metadata, float] | None = None
        self._limiter = CapacityLimiter(AT_ONCE)

    async def login_url(self, begun: LoginState) -> str:
        """Return where the browser goes to log in. Raises ProviderUnavailable."""
        async with self._client() as client:
            metadata = await self._describe(client)
        return str(
            prepare_grant_uri(
                metadata.authorization_endpoint,
                client_id=self._client_id,
                response_type="code",
                redirect_uri=self._redirect_uri,
                scope=SCOPE,
                state=begun.state,
                nonce=begun.nonce,
                code_challenge=create_s256_code_challenge(begun.verifier),
                code_challenge_method="S256",
            )
        )

    async def identify(self, code: str, begun: LoginState) -> Identity:
        """Return who has logged in. Raises LoginRefused, ProviderUnavailable."""
        async with self._client() as client:
            metadata = await self._describe(client)
            try:
                token = await self._exchange(client, metadata.token_endpoint, code, begun)
                keys = KeySet.import_key_set(
                    cast("KeySetSerialization", await _json(client, metadata.jwks_uri))
                )
                claims = self._checked(token, keys, begun.nonce)
                if "email" not in claims and metadata.userinfo_endpoint is not None:
                    claims = await _with_userinfo(client, metadata.userinfo_endpoint, token, claims)
            except (AuthlibBaseError, JoseError, KeyError, TypeError, ValueError) as error:
                log.warning("oidc_login_refused", kind=type(error).__name__)
                raise LoginRefused(type(error).__name__) from error
            except httpx.HTTPError as error:
                log.warning("oidc_provider_unavailable", kind=type(error).__name__)
                raise ProviderUnavailable from error
        email = claims.get("email")
        return Identity(
            issuer=self.issuer,
            subject=str(claims["sub"]),
            email=email if isinstance(email, str) else None,
            # As a boolean; some write it as a word.
            is_email_verified=claims.get("email_verified") in (True, "true"),
        )

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[httpx.AsyncClient]:
        if self._limiter.available_tokens <= 0:
            raise ProviderUnavailable
        async with self._limiter, httpx.AsyncClient(timeout=TIMEOUT_SECONDS) as client:
            yield client

    async def _exchange(
        self, client: httpx.AsyncClient, url: str, code: str, begun: LoginState
    ) -> Mapping[str, Any]:
        """Return the tokens that the code stands for, once. Raises LoginRefused."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "code_verifier": begun.verifier,
            "client_id": self._client_id,
        }
        auth: httpx.Auth | None = None
        if self._client_secret is not None:
            # Form-encoded before, as RFC 6749, section 2.3.1 says.
            auth = httpx.BasicAuth(quote_plus(self._client_id), quote_plus(self._client_secret))
        answer = await client.post(
            url, data=form, auth=auth or httpx.USE_CLIENT_DEFAULT, headers=_AS_JSON
        )
        if answer.is_client_error:
            log.warning("oidc_code_refused", status=answer.status_code)
            raise LoginRefused("the code was refused")
        return _object(answer)

    async def _describe(self, client: httpx.AsyncClient) -> Metadata:
        if self._metadata is not None and self._metadata[1] > time.monotonic():
            return self._metadata[0]
        try:
            url = self.issuer.rstrip("/") + DISCOVERY_PATH
            found = Metadata.model_validate(await _json(client, url))
        except (httpx.HTTPError, ValidationError, ValueError, TypeError) as error:
            log.warning("oidc_provider_unavailable", kind=type(error).__name__)
            raise ProviderUnavailable from error
        if found.issuer != self.issuer:
            log.error("oidc_issuer_differs", expected=self.issuer, found=found.issuer)
            raise ProviderUnavailable
        self._metadata = (found, time.monotonic() + METADATA_SECONDS)
        return found

    def _checked(self, token: Mapping[str, Any], keys: KeySet, nonce: str) -> dict[str, Any]:
        decoded = jwt.decode(token["id_token"], keys, algorithms=list(ALGORITHMS))
        claims = CodeIDToken(
            decoded.claims,
            decoded.header,
            {
                "iss": {"essential": True, "value": self.issuer},
                "aud": {"essential": True, "value": self._client_id},
                "sub": {"essential": True},
            },
            {
                "nonce": nonce,
                "client_id": self._client_id,
                "access_token": token.get("access_token"),
            },
        )
        claims.validate(leeway=LEEWAY_SECONDS)
        return dict(claims)


def provider_of(settings: GallerySettings) -> Provider | None:
    """Return the provider that the settings name, if they name one."""
    if settings.oidc_issuer is None or settings.oidc_client_id is None:
        return None
    secret = settings.oidc_client_secret
    return Provider(
        settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        client_secret=None if secret is None else secret.get_secret_value(),
        redirect_uri=settings.links_begin_with + CALLBACK_PATH,
    )


async def _with_userinfo(
    client: httpx.AsyncClient, url: str, token: Mapping[str, Any], claims: dict[str, Any]
) -> dict[str, Any]:
    """Add what the ID token leaves out; never another person's (Core, section 5.3.2)."""
    told = await _json(client, url, {"Authorization": f"Bearer {token['access_token']}"})
    if told.get("sub") != claims["sub"]:
        raise ValueError("the userinfo is of somebody else")
    return told | claims


async def _json(
    client: httpx.AsyncClient, url: str, headers: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return the JSON object that is there. Raises httpx.HTTPError, ValueError, TypeError."""
    return _object(await client.get(url, headers={**_AS_JSON, **(headers or {})}))


def _object(answer: httpx.Response) -> dict[str, Any]:
    answer.raise_for_status()
    found = answer.json()
    if not isinstance(found, dict):
        raise TypeError("not a JSON object")
    return found
