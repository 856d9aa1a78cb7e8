"""What one service shows another on a route that is not for the public.

The token is derived from the services' common secret, so that nothing more need be configured,
and tells nobody the secret itself.
"""

import hashlib
import hmac

INTERNAL_TOKEN_HEADER = "X-Internal-Token"  # noqa: S105 - the header's name
_PURPOSE = b"internal"


def internal_token(secret: str) -> str:
    """Return the value of the header: HMAC-SHA256 (RFC 2104) in hexadecimal."""
    return hmac.new(secret.encode(), _PURPOSE, hashlib.sha256).hexdigest()


def verify_internal_token(token: str, secret: str) -> bool:
    """Whether the token is ours; takes as long for a wrong one as for the right one."""
    # As bytes: compare_digest refuses text that is not ASCII, and a header may be anything.
    return hmac.compare_digest(token.encode(), internal_token(secret).encode())
