"""The indexes with instants take the place of those without, in a moment for which lists wait.

A transaction of its own: it wants photos for itself, and has nothing by then that others wait for.
A service of the release before reads its lists by when photos were taken through the other index,
and sorts them, until it is replaced.
"""

from alembic import op

revision = "0069"
down_revision = "0068"
branch_labels = None
depends_on = None

NAMES = ("photos_event_page", "photos_event_taken")
#: As they were.
INDEXES = (
    "CREATE INDEX photos_event_page_idx ON photos (event_id, uploaded_at DESC, id DESC)"
    " INCLUDE (filename, original_filename, content_type, photographer_id, width, height,"
    " taken_at, taken_at_offset, placeholder, show_in_general, processing_status)",
    "CREATE INDEX photos_event_taken_idx ON photos"
    " (event_id, coalesce(taken_at, timezone('UTC', uploaded_at)) DESC, id DESC)"
    " INCLUDE (taken_at, uploaded_at, show_in_general)",
)


def upgrade() -> None:
    for name in NAMES:
        op.execute(f"DROP INDEX {name}_idx")
    for name in NAMES:
        op.execute(f"ALTER INDEX {name}_new_idx RENAME TO {name}_idx")


def downgrade() -> None:
    for name in NAMES:
        op.execute(f"ALTER INDEX {name}_idx RENAME TO {name}_new_idx")
    for statement in INDEXES:
        op.execute(statement)
