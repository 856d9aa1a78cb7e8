"""What triggers write is right whoever's change sets them off, and nobody writes it by hand."""

from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

FUNCTIONS = ("note_erasures", "remove_external_face", "forget_embeddings")


def upgrade() -> None:
    # By the right of the tables' owner, as the cascades of foreign keys are; the path is fixed, so
    # that nobody can put a table of their own in the way.
    for function in FUNCTIONS:
        op.execute(
            f"ALTER FUNCTION {function}() SECURITY DEFINER SET search_path = public, pg_temp"
        )
