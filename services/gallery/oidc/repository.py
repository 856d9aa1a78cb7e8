"""SQL of accounts that are linked to a provider's."""

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.accounts.principal import Role
from libs.common.database.tables import oidc_identities, users
from services.gallery.oidc.rules import Identity, Known


async def find_linked(connection: AsyncConnection, identity: Identity) -> Known | None:
    """Return the account that is linked to what the provider calls somebody."""
    row = (
        await connection.execute(
            select(users.c.id, users.c.user_type, users.c.is_active)
            .join(oidc_identities, oidc_identities.c.user_id == users.c.id)
            .where(
                oidc_identities.c.issuer == identity.issuer,
                oidc_identities.c.subject == identity.subject,
            )
        )
    ).one_or_none()
    return Known(row.id, Role(row.user_type), row.is_active) if row else None


async def link(connection: AsyncConnection, identity: Identity, user_id: int) -> bool:
    """Link the account; False where somebody else's is linked by now."""
    linked = await connection.execute(
        insert(oidc_identities)
        .values(issuer=identity.issuer, subject=identity.subject, user_id=user_id)
        .on_conflict_do_nothing()
    )
    return linked.rowcount > 0
