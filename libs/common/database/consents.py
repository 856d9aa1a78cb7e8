"""Who consented to which text, when, and in which language; rows go with their account."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.consent import VERSION, known_language, require_present
from libs.common.database.audit import Action, record
from libs.common.database.tables import consents

#: How it was given: by sending a selfie, by joining an event, or by itself.
Way = Literal["selfie", "join", "asked"]


@dataclass(frozen=True, slots=True)
class Consent:
    """One that was given."""

    version: str
    language: str
    given_by: str
    given_at: datetime


async def give_consent(
    connection: AsyncConnection,
    user_id: int,
    *,
    version: str | None,
    language: str | None,
    given_by: Way,
) -> None:
    """Record a consent to the present text. Raises ConsentOutdated for another version.

    Without a version it is that of a client which knows of none: sending a selfie has always been
    the consent, to the text that holds at that moment.
    """
    if version is not None:
        require_present(version)
    await connection.execute(
        insert(consents).values(
            user_id=user_id,
            version=VERSION,
            language=known_language(language),
            given_by=given_by,
        )
    )
    await record(
        connection,
        Action.CONSENT_GIVEN,
        actor_id=user_id,
        account_id=user_id,
        details={"version": VERSION, "by": given_by},
    )


async def consents_of(connection: AsyncConnection, user_id: int) -> list[Consent]:
    """Return all that the account gave, the newest first."""
    rows = await connection.execute(
        select(consents.c.version, consents.c.language, consents.c.given_by, consents.c.given_at)
        .where(consents.c.user_id == user_id)
        .order_by(consents.c.id.desc())
    )
    return [Consent(**row._asdict()) for row in rows]
