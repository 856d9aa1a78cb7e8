"""Guests who need a name only: no password, and no address unless they want to."""

from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "ALTER TABLE users ADD COLUMN pending_email TEXT,"
        " ALTER COLUMN email DROP NOT NULL,"
        " ALTER COLUMN password_hash DROP NOT NULL"
    )
