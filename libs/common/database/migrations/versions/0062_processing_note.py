"""What is wrong with a photo that is shown all the same: not all of it could be read."""

from alembic import op

revision = "0062"
down_revision = "0061"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE photos ADD COLUMN processing_note TEXT")


def downgrade() -> None:
    op.execute("ALTER TABLE photos DROP COLUMN processing_note")
