"""What the audit answers."""

from datetime import datetime

from pydantic import BaseModel, Field


class AuditEntry(BaseModel):
    """What was done, by whom, to whom; names are today's, and null once an account is gone."""

    id: int
    at: datetime
    action: str = Field(examples=["login.failed"])
    actor_id: int | None = Field(description="Who did it; null for strangers, commands and jobs.")
    actor_name: str | None
    account_id: int | None = Field(description="Whom it is about.")
    account_name: str | None
    event_id: int | None
    event_name: str | None
    object_id: int | None = Field(description="The photo, selfie or key.")
    address: str | None = Field(
        description="The network that the request came from.", examples=["192.0.2.0/24"]
    )
    request_id: str | None
    details: dict[str, object]
