"""An index that serves an event's list by when its photos were taken.

As those of other lists it is not built CONCURRENTLY: uploads wait for some seconds per million
photos.
"""

from alembic import op

revision = "0060"
down_revision = "0059"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "CREATE INDEX photos_event_taken_idx ON photos"
        " (event_id, coalesce(taken_at, timezone('UTC', uploaded_at)) DESC, id DESC)"
        " INCLUDE (taken_at, uploaded_at, show_in_general)"
    )


def downgrade() -> None:
    op.execute("DROP INDEX photos_event_taken_idx")
