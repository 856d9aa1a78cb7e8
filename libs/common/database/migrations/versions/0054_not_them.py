"""A photographer can say that a photo does not show a guest who was found in it."""

from alembic import op

revision = "0054"
down_revision = "0053"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE match_overrides DROP CONSTRAINT match_overrides_verdict_check")
    op.execute(
        "ALTER TABLE match_overrides ADD CONSTRAINT match_overrides_verdict_check"
        " CHECK (verdict IN ('not_me', 'not_them', 'added'))"
    )


def downgrade() -> None:
    op.execute("DELETE FROM match_overrides WHERE verdict = 'not_them'")
    op.execute("ALTER TABLE match_overrides DROP CONSTRAINT match_overrides_verdict_check")
    op.execute(
        "ALTER TABLE match_overrides ADD CONSTRAINT match_overrides_verdict_check"
        " CHECK (verdict IN ('not_me', 'added'))"
    )
