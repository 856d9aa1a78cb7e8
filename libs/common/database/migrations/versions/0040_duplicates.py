"""By which rule an event's photos are duplicates, and an index that tells which bytes it has.

Like those of photographers' lists it is not built CONCURRENTLY.
"""

from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "ALTER TABLE events ADD COLUMN duplicates TEXT,"
        " ADD CONSTRAINT events_duplicates_check CHECK (duplicates IN ('window', 'event'))"
    )
    op.execute("CREATE INDEX photos_sha256_idx ON photos (event_id, sha256)")
