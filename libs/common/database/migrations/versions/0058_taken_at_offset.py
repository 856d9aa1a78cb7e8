"""Photos know their camera's time zone. The index that serves lists has it later (0063)."""

from alembic import op

revision = "0058"
down_revision = "0057"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE photos ADD COLUMN taken_at_offset SMALLINT")


def downgrade() -> None:
    op.execute("ALTER TABLE photos DROP COLUMN taken_at_offset")
