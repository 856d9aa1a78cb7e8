"""Event codes that look alike (O and 0; I, L and 1) are one code, also as guests type them.

Of older ones that look alike the oldest event's is found by all of them, the others by theirs.
"""

import unicodedata

from alembic import op
from sqlalchemy import text

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    connection = op.get_bind()
    op.execute("ALTER TABLE events ADD COLUMN code_look TEXT")
    looks: dict[str, int] = {}
    for row in connection.execute(text("SELECT id, event_code FROM events ORDER BY id")).all():
        code = "".join(unicodedata.normalize("NFKC", row.event_code).split()).upper()
        looks.setdefault(code.translate(str.maketrans("OIL", "011")), row.id)
    if looks:
        connection.execute(
            text("UPDATE events SET code_look = :look WHERE id = :id"),
            [{"look": look, "id": event_id} for look, event_id in looks.items()],
        )
    op.execute("ALTER TABLE events ADD CONSTRAINT events_code_look_key UNIQUE (code_look)")
