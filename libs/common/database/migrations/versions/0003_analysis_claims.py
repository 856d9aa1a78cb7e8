"""Who analyses a photo: a claim with an owner, so that a lost analysis is told from one at work."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "ALTER TABLE photos ADD COLUMN claimed_by TEXT,"
        " ADD COLUMN claimed_at TIMESTAMP WITH TIME ZONE"
    )
    # A longer one begins with the same column. Here, as the lock that it takes is held already.
    op.execute("DROP INDEX photos_photographer_id_idx")
