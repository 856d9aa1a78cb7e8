"""A guest's "not me" keeps the photographer's "not them", for when it is taken back."""

from alembic import op

revision = "0056"
down_revision = "0055"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE match_overrides ADD COLUMN excluded BOOLEAN DEFAULT false NOT NULL")


def downgrade() -> None:
    op.execute("ALTER TABLE match_overrides DROP COLUMN excluded")
