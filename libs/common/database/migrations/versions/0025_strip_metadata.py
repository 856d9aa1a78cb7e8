"""Whether an event's guests get its photos without place, names and serial numbers."""

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """All events that there are, too."""
    op.execute("ALTER TABLE events ADD COLUMN strip_metadata BOOLEAN NOT NULL DEFAULT true")
