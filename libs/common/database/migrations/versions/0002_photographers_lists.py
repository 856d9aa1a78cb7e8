"""An index that serves a photographer's list of uploads; thresholds below 60 are raised to it.

The index is not built CONCURRENTLY: migrations are one transaction under a lock for which other
migrations wait, and their waiting would be waited for. Uploads wait for about a second per
million photos; lists do not.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "CREATE INDEX photos_photographer_page_idx"
        " ON photos (photographer_id, uploaded_at DESC, id DESC)"
    )
    # The new one begins with the same column.
    op.execute("DROP INDEX photos_photographer_id_idx")
    # Below 60 every third stranger's face would be kept as a match; see thresholds.py.
    op.execute("UPDATE matching_settings SET threshold = 60 WHERE threshold < 60")
    op.execute("UPDATE events SET match_threshold = 60 WHERE match_threshold < 60")
