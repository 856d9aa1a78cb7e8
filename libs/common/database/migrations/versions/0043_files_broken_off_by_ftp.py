"""Files that broke off on their way by FTP are found again by who sends them, and as what."""

from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE resumable_uploads ADD COLUMN resumes_as BYTEA")
    op.execute(
        "CREATE UNIQUE INDEX resumable_uploads_event_id_resumes_as_key"
        " ON resumable_uploads (event_id, resumes_as)"
    )


def downgrade() -> None:
    # Nobody could go on with them.
    op.execute("DELETE FROM resumable_uploads WHERE resumes_as IS NOT NULL")
    op.execute("DROP INDEX resumable_uploads_event_id_resumes_as_key")
    op.execute("ALTER TABLE resumable_uploads DROP COLUMN resumes_as")
