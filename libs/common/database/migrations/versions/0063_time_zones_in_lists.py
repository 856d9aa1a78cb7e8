"""The index that serves lists has the camera's time zone, which they show.

It is built beside the one in use, so that lists wait but for the moment of the exchange; uploads
wait for some seconds per million photos.
"""

from alembic import op

revision = "0063"
down_revision = "0062"
branch_labels = None
depends_on = None

_PAGE = """
CREATE INDEX photos_event_page_new_idx ON photos (event_id, uploaded_at DESC, id DESC) INCLUDE (
    filename, original_filename, content_type, photographer_id, width, height, taken_at, {offset}
    placeholder, show_in_general, processing_status)
"""
_EXCHANGE = (
    "DROP INDEX photos_event_page_idx",
    "ALTER INDEX photos_event_page_new_idx RENAME TO photos_event_page_idx",
)


def upgrade() -> None:
    for statement in (_PAGE.format(offset="taken_at_offset,"), *_EXCHANGE):
        op.execute(statement)


def downgrade() -> None:
    for statement in (_PAGE.format(offset=""), *_EXCHANGE):
        op.execute(statement)
