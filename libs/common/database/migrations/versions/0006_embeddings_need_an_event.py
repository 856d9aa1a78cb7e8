"""A guest whose last event goes keeps the picture, but not the embedding of the face in it."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

FORGET = """
CREATE FUNCTION forget_embeddings() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Two of a guest's events that go at once, or a selfie that comes: the second sees the first.
    PERFORM FROM users WHERE id IN (SELECT user_id FROM gone) ORDER BY id FOR NO KEY UPDATE;
    UPDATE selfies SET engine = NULL, embedding = NULL
    WHERE user_id IN (SELECT user_id FROM gone) AND embedding IS NOT NULL
      AND NOT EXISTS (SELECT FROM memberships m WHERE m.user_id = selfies.user_id);
    RETURN NULL;
END
$$
"""

#: Memberships go by the cascades of events, whoever deletes those: a trigger misses none.
WHEN_MEMBERSHIPS_GO = """
CREATE TRIGGER forget_embeddings AFTER DELETE ON memberships REFERENCING OLD TABLE AS gone
FOR EACH STATEMENT EXECUTE FUNCTION forget_embeddings()
"""


def upgrade() -> None:
    op.execute(FORGET)
    op.execute(WHEN_MEMBERSHIPS_GO)
    op.execute(
        "UPDATE selfies SET engine = NULL, embedding = NULL WHERE embedding IS NOT NULL"
        " AND NOT EXISTS (SELECT FROM memberships m WHERE m.user_id = selfies.user_id)"
    )
