"""An index that sorts photos by the instants at which they were taken, built as 0067's is."""

from alembic import op

revision = "0068"
down_revision = "0067"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "CREATE INDEX photos_event_taken_new_idx ON photos (event_id,"
        " coalesce(timezone('UTC', taken_instant), taken_at, timezone('UTC', uploaded_at)) DESC,"
        " id DESC) INCLUDE (taken_instant, taken_at, uploaded_at, show_in_general)"
    )


def downgrade() -> None:
    op.execute("DROP INDEX photos_event_taken_new_idx")
