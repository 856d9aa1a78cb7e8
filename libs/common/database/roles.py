"""Which service may do what with which table, as rights of its own role in PostgreSQL.

The tables are the operator's, who migrates. A service that is taken over reads and writes
what it needs for its work and nothing else: only the gallery sees password hashes.
"""

import base64
import hashlib
import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url

from libs.common.errors import InvalidInput
from libs.common.settings import sqlalchemy_url

_READ = "SELECT"
_ADD = "SELECT, INSERT"
_CHANGE = "SELECT, UPDATE"
_ALL = "SELECT, INSERT, UPDATE, DELETE"
#: Whoever locks a row that is another service's keeps it from being deleted meanwhile; PostgreSQL
#: asks for the right to change a column for that, and the key cannot be changed.
_KEEP = "SELECT, UPDATE (id)"
#: Neither password hashes nor names and addresses.
_READ_ACCOUNTS = "SELECT (id, subject, user_type, is_active)"

#: Of all services: the outbox, which each of them relays.
_COMMON: Final[Mapping[str, str]] = {
    "outbox": _ALL,
    "rate_limits": _ALL,
    "alembic_version": _READ,
}

GRANTS: Final[Mapping[str, Mapping[str, str]]] = {
    "ingest": {
        "sessions": "SELECT, UPDATE (last_seen_at)",
        "api_keys": "SELECT, UPDATE (last_used_at)",
        "users": f"{_READ_ACCOUNTS}, UPDATE (id)",
        "events": _KEEP,
        "memberships": _READ,
        # A camera may send a photo under a passing name, and give it its own afterwards.
        "photos": f"{_ADD}, UPDATE (original_filename)",
        "cameras": f"{_ADD}, UPDATE (make)",  # to lock a row; it is never another one
        "upload_digests": _ALL,
        "upload_jobs": _ALL,
        "resumable_uploads": _ALL,
        "watchers": _ALL,
        "selfies": "SELECT, INSERT, DELETE",
        "selfie_indexes": _READ,
        "matches": "SELECT, DELETE",
        "match_overrides": _READ,
        "matching_settings": _READ,
        "audit": "SELECT (id), INSERT",
        "consents": "SELECT, INSERT",
    },
    "recognition": {
        "users": _READ_ACCOUNTS,
        "events": _KEEP,
        "memberships": "SELECT, UPDATE (user_id)",
        "photos": _CHANGE,
        "selfies": _CHANGE,
        "selfie_indexes": _ALL,
        "faces": _ALL,
        "face_checks": _ALL,
        "matches": _ALL,
        "match_overrides": _READ,
        "matching_settings": _KEEP,
        "external_collections": _ALL,
        "face_removals": _ALL,
        "aws_usage": _ALL,
        "recognition_replicas": _ALL,
        "match_partitions": _ALL,
        "dead_letters": _ALL,
    },
    "gallery": {
        "sessions": _ALL,
        "mails": _ALL,
        "account_links": _ALL,
        "event_notices": _ALL,
        "photo_notices": _ALL,
        "face_removals": _READ,
        "external_collections": _READ,
        "api_keys": _ALL,
        "oidc_identities": _ALL,
        "consents": _ALL,
        "users": _ALL,
        "events": _ALL,
        "memberships": _ALL,
        # They go with an event that is erased.
        "upload_jobs": "SELECT, DELETE",
        "resumable_uploads": "SELECT, DELETE",
        "watchers": "SELECT, DELETE",
        "photos": "SELECT, UPDATE, DELETE",
        "selfies": "SELECT, UPDATE, DELETE",
        "selfie_indexes": _ALL,
        "faces": _READ,
        "matches": "SELECT, DELETE",
        "match_overrides": _ALL,
        "favourites": _ALL,
        "cameras": "SELECT, UPDATE (shift_seconds), DELETE",
        "matching_settings": _CHANGE,
        "aws_usage": _READ,
        "dead_letters": _ALL,
        "match_partitions": _READ,
        "recognition_replicas": _READ,
        "downloads": _ALL,
        "walls": _ALL,
        "audit": "SELECT, INSERT, DELETE",
    },
    "media": {
        "sessions": _READ,
        "users": _READ_ACCOUNTS,
        "events": _READ,
        "memberships": _READ,
        "photos": _READ,
        "selfies": _READ,
        "matches": _READ,
        "match_overrides": _READ,
        "matching_settings": _READ,
        "guest_copies": _ALL,
        "downloads": "SELECT, UPDATE (etag)",
    },
}


@dataclass(frozen=True, slots=True)
class ServiceRole:
    """The role that a service logs in as; without a password it was made by somebody else."""

    service: str
    name: str
    password: str | None

    @classmethod
    def of_url(cls, service: str, url: str) -> "ServiceRole":
        """Return the role that a service's DATABASE_URL names. Raises InvalidInput."""
        parsed = make_url(sqlalchemy_url(url))
        if not parsed.username:
            msg = f"The database URL of {service} names no user."
            raise InvalidInput(msg)
        return cls(service, parsed.username, parsed.password)


def give_rights(connection: Connection, role: ServiceRole) -> None:
    """Make the role unless it is there, set its password, and give it what its service needs.

    What it had before and needs no longer is taken away. Where this user may make no roles, the
    role has to be there, and keeps its password.
    """
    name = _quoted(connection, role.name)
    _make(connection, role, name)
    connection.execute(text(f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {name}"))
    connection.execute(text(f"GRANT USAGE ON SCHEMA public TO {name}"))
    for table, rights in {**_COMMON, **GRANTS[role.service]}.items():
        connection.execute(text(f"GRANT {rights} ON public.{table} TO {name}"))


def _make(connection: Connection, role: ServiceRole, name: str) -> None:
    is_there = connection.scalar(
        text("SELECT true FROM pg_roles WHERE rolname = :name"), {"name": role.name}
    )
    may_make = connection.scalar(
        text("SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user")
    )
    if not may_make:
        if not is_there:
            msg = (
                f"The role {role.name} does not exist, and this user may not make it. Make it, or"
                " let `findme migrate` connect as a user with CREATEROLE."
            )
            raise InvalidInput(msg)
        return
    if not is_there:
        connection.execute(text(f"CREATE ROLE {name} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE"))
    if role.password is not None:
        # Hashed here: statements may be logged.
        verifier = scram_verifier(role.password)
        # Not as `text`, in which a colon begins a parameter.
        connection.exec_driver_sql(f"ALTER ROLE {name} LOGIN PASSWORD '{verifier}'")


def scram_verifier(password: str, *, salt: bytes | None = None, iterations: int = 4096) -> str:
    """Return what PostgreSQL keeps of a password: SCRAM-SHA-256 (RFC 5802, RFC 7677).

    Raises InvalidInput for a password that is not ASCII, which would have to be normalised.
    """
    if not password.isascii():
        msg = "A service's database password must be ASCII: `openssl rand -hex 24` makes one."
        raise InvalidInput(msg)
    salt = salt or os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    words = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${iterations}:{words[0]}${words[1]}:{words[2]}"


def _quoted(connection: Connection, name: str) -> str:
    quoted: str = connection.dialect.identifier_preparer.quote_identifier(name)
    return quoted
