"""Thresholds below 60 are raised to it: every third stranger's face would be kept as a match."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("UPDATE matching_settings SET threshold = 60 WHERE threshold < 60")
    op.execute("UPDATE events SET match_threshold = 60 WHERE match_threshold < 60")
