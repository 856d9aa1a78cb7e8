"""Who is calling, and what their account may do."""

import uuid
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What an account may do; the value is its `user_type`."""

    PARTICIPANT = "user"
    PHOTOGRAPHER = "photographer"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Principal:
    """The authenticated caller."""

    user_id: int
    role: Role
    #: The login that the token belongs to; None where an API key was shown.
    session_id: uuid.UUID | None = None
    #: The only event that the API key is for, if it is for one.
    only_event_id: int | None = None
