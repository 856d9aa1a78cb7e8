"""Events have a time zone of their own; none has one yet."""

from alembic import op

revision = "0065"
down_revision = "0064"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE events ADD COLUMN time_zone TEXT")


def downgrade() -> None:
    op.execute("ALTER TABLE events DROP COLUMN time_zone")
