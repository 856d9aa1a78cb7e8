"""Usernames and addresses are compared by how they look: one account for "Zoë", however written.

Of accounts that look alike the oldest keeps the key; the others log in by their exact names, as
before. The release that serves meanwhile writes no keys; its accounts count as such, too.
"""

import unicodedata
from contextlib import suppress

from alembic import op
from sqlalchemy import text

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

CHUNK = 5000


def folded(name: str) -> str:
    """Return Unicode's NFKC_Casefold, without what is not seen and with single spaces."""
    for _ in range(2):
        name = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    name = " ".join(name.split())
    seen = "".join(one for one in name if unicodedata.category(one) not in {"Cf", "Cc", "Cs"})
    return unicodedata.normalize("NFKC", " ".join(seen.split()))


def username_key(username: str) -> str:
    return folded(username.translate({0x2018: "'", 0x2019: "'", 0x2BC: "'"}))


def email_key(email: str) -> str:
    from email_validator import EmailNotValidError, validate_email

    local, at, domain = email.strip().rpartition("@")
    with suppress(EmailNotValidError):
        domain = validate_email(f"a@{domain}", check_deliverability=False).domain
    return folded(local) + at + folded(domain)


def upgrade() -> None:
    connection = op.get_bind()
    names: set[str] = set()
    emails: set[str] = set()
    last = 0
    while True:
        rows = connection.execute(
            text("SELECT id, username, email FROM users WHERE id > :last ORDER BY id LIMIT :chunk"),
            {"last": last, "chunk": CHUNK},
        ).all()
        if not rows:
            break
        values = []
        for row in rows:
            name, email = username_key(row.username), email_key(row.email)
            values.append(
                {
                    "id": row.id,
                    "name": name if name and name not in names else None,
                    "email": email if email and email not in emails else None,
                }
            )
            names.add(name)
            emails.add(email)
        connection.execute(
            text("UPDATE users SET username_key = :name, email_key = :email WHERE id = :id"),
            values,
        )
        last = rows[-1].id
    op.execute("CREATE UNIQUE INDEX users_username_key_key ON users (username_key)")
    op.execute("CREATE UNIQUE INDEX users_email_key_key ON users (email_key)")
    op.execute("CREATE INDEX users_username_idx ON users (username)")
    op.execute("CREATE INDEX users_email_idx ON users (lower(email))")
    op.execute("DROP INDEX users_username_key")
    op.execute("DROP INDEX users_email_key")
