"""Watchers whose programs say that they are there, and what is wrong."""

from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE watchers ADD COLUMN seen_at TIMESTAMP WITH TIME ZONE")
    op.execute("ALTER TABLE watchers ADD COLUMN problem TEXT")


def downgrade() -> None:
    op.execute("ALTER TABLE watchers DROP COLUMN problem")
    op.execute("ALTER TABLE watchers DROP COLUMN seen_at")
