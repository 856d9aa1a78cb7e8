"""An index that tells when an event's photo was analysed that was matched last.

The reconciler asks that of every open event: without it, it reads all of their photos. Like those
of photographers' lists it is not built CONCURRENTLY.
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "CREATE INDEX photos_matched_idx ON photos (event_id, analyzed_at)"
        " WHERE processing_status = 'done' AND finished_at > analyzed_at"
    )
