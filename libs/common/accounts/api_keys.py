"""API keys: what watchers and tools show instead of a login. Only a digest of each is kept."""

import hashlib
import hmac
import re
import secrets
import uuid
from dataclasses import dataclass, field

PREFIX = "fmk_"
#: 256 bits: nobody guesses one, so a fast digest is enough.
_SECRET_BYTES = 32
_KEY = re.compile(rf"{PREFIX}([0-9a-f]{{32}})_([A-Za-z0-9_-]{{43}})", re.ASCII)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is shown: its row's id, and the secret that only its holder has."""

    id: uuid.UUID
    secret: str = field(repr=False)

    @classmethod
    def new(cls) -> "ApiKey":
        """Return a key that nobody has."""
        return cls(uuid.uuid4(), secrets.token_urlsafe(_SECRET_BYTES))

    @classmethod
    def parse(cls, text: str) -> "ApiKey | None":
        """Return the key that is written so; None for what is none of ours."""
        found = _KEY.fullmatch(text)
        return cls(uuid.UUID(found[1]), found[2]) if found else None

    @property
    def text(self) -> str:
        """The key as its holder writes it."""
        return f"{PREFIX}{self.id.hex}_{self.secret}"

    @property
    def digest(self) -> bytes:
        """What is kept of it."""
        return hashlib.sha256(self.secret.encode()).digest()

    def fits(self, digest: bytes) -> bool:
        """Whether it is the key of that digest; takes as long for a wrong one."""
        return hmac.compare_digest(self.digest, digest)
