"""Access tokens: signed JWTs (RFC 7519) that name a login. What it may do is asked of its rows."""

import hashlib
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import jwt

from libs.common.accounts.principal import Role
from libs.common.errors import NotAuthenticated
from libs.common.signing_keys import Purpose, SigningKeys

_ALGORITHM = "HS256"
#: By so much the clocks of two machines may differ without ending anybody's session early.
CLOCK_LEEWAY_SECONDS = 60
#: Tokens that are known to be ours, per process: some 400 bytes each. The one that was not shown
#: for the longest time is verified anew.
KEPT_AT_MOST = 20_000


class SessionOver(NotAuthenticated):
    """The token is not ours or has expired, or its login or account has ended since."""

    def __init__(self) -> None:
        super().__init__("The session has expired or is not valid. Log in again.")


@dataclass(frozen=True, slots=True)
class TokenClaims:
    """What a token claims; `subject` is its account's, random and never anybody else's."""

    subject: uuid.UUID
    session_id: uuid.UUID
    role: Role


class Tokens:
    """Issues and verifies access tokens.

    A token is verified once by a process, and known by its hash from then on until it expires: what
    it claims never changes. Whether its login still stands is another question, asked at each
    request (`Accounts`), so nothing that is kept here outlives the end of a login or an account.
    """

    def __init__(
        self,
        keys: SigningKeys,
        *,
        kept_at_most: int = KEPT_AT_MOST,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._current = keys.current(Purpose.ACCESS_TOKEN)
        self._valid = {key.id: key.key for key in keys.valid(Purpose.ACCESS_TOKEN)}
        self._kept_at_most = kept_at_most
        self._clock = clock
        #: By their hashes: what they claim, and when they expire.
        self._verified: OrderedDict[bytes, tuple[TokenClaims, int]] = OrderedDict()

    def issue(self, claims: TokenClaims, *, expires_at: datetime) -> str:
        """Return a token that is valid until then."""
        return jwt.encode(
            {
                "sub": str(claims.subject),
                "sid": str(claims.session_id),
                "role": claims.role.value,
                "iat": datetime.now(UTC),
                "exp": expires_at,
            },
            self._current.key,
            algorithm=_ALGORITHM,
            headers={"kid": self._current.id},
        )

    def verify(self, token: str) -> TokenClaims:
        """Raises SessionOver when the token is not ours, malformed or expired."""
        digest = _digest(token)
        known = self._verified.get(digest)
        if known is not None:
            self._verified.move_to_end(digest)
        else:
            known = self._verified[digest] = self._decode(token)
            if len(self._verified) > self._kept_at_most:
                self._verified.popitem(last=False)
        claims, expires = known
        if self._clock() >= expires + CLOCK_LEEWAY_SECONDS:
            del self._verified[digest]
            raise SessionOver
        return claims

    def _decode(self, token: str) -> tuple[TokenClaims, int]:
        """Return what it claims, and when it expires. Raises SessionOver."""
        try:
            claims = jwt.decode(
                token,
                self._key_of(token),
                algorithms=[_ALGORITHM],
                options={
                    "require": ["exp", "sub", "sid", "role"],
                    # Of a token that is kept it is looked at again: see `verify`.
                    "verify_exp": False,
                    # It is ours by its signature: that it comes from the future only says that
                    # the clock of whoever issued it is ahead of this machine's.
                    "verify_iat": False,
                },
            )
            found = TokenClaims(
                subject=uuid.UUID(claims["sub"]),
                session_id=uuid.UUID(claims["sid"]),
                role=Role(claims["role"]),
            )
            return found, int(claims["exp"])
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError) as error:
            raise SessionOver from error

    def _key_of(self, token: str) -> bytes:
        key_id = jwt.get_unverified_header(token).get("kid")
        key = self._valid.get(key_id) if isinstance(key_id, str) else None
        if key is None:
            raise jwt.InvalidKeyError("signed with a key that is not ours, or not any more")
        return key


def _digest(token: str) -> bytes:
    # What is kept is no token to anybody who reads the memory.
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()
