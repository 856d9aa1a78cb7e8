"""Links in mails by which somebody asks for no more of that kind, without logging in (RFC 8058)."""

import hashlib
import hmac
import secrets

from libs.common.messaging.messages import MAX_ID
from libs.common.signing_keys import Purpose, SigningKeys

#: Hexadecimal characters of the signature: 128 bits.
_SIGNATURE_CHARACTERS = 32


class Unsubscribing:
    """Signs who it is that does not want mails any more; the token ends nothing else, and lasts."""

    def __init__(self, keys: SigningKeys) -> None:
        self._keys = tuple(key.key for key in keys.valid(Purpose.UNSUBSCRIBE))

    def token(self, user_id: int) -> str:
        """Return the account's token."""
        return f"{user_id}.{_signature(self._keys[0], user_id)}"

    def user_id(self, token: str) -> int | None:
        """Return whose token it is; None for one that is not ours."""
        number, _, signature = token.partition(".")
        if not (number.isascii() and number.isdecimal() and int(number[:20]) <= MAX_ID):
            return None
        user_id = int(number)
        fits = any(
            secrets.compare_digest(signature.encode(), _signature(key, user_id).encode())
            for key in self._keys
        )
        return user_id if fits else None


def _signature(key: bytes, user_id: int) -> str:
    made = hmac.new(key, str(user_id).encode(), hashlib.sha256)
    return made.hexdigest()[:_SIGNATURE_CHARACTERS]
