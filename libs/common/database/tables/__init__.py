"""The tables, for queries in SQLAlchemy Core. The migrations define them; a test compares.

Which service writes which table is said in ARCHITECTURE.md.
"""

from libs.common.database.tables.accounts import (
    account_links,
    api_keys,
    audit,
    consents,
    oidc_identities,
    rate_limits,
    sessions,
    users,
)
from libs.common.database.tables.columns import metadata
from libs.common.database.tables.events_and_guests import (
    erasures,
    event_notices,
    events,
    memberships,
    walls,
)
from libs.common.database.tables.faces_and_matches import (
    face_checks,
    faces,
    match_overrides,
    matches,
    matching_settings,
    selfie_indexes,
    selfies,
)
from libs.common.database.tables.messages import (
    dead_letters,
    mails,
    match_partitions,
    outbox,
    recognition_replicas,
)
from libs.common.database.tables.paid_faces import aws_usage, external_collections, face_removals
from libs.common.database.tables.photos_and_copies import (
    IS_FAILED,
    MOMENT_TAKEN,
    cameras,
    downloads,
    favourites,
    guest_copies,
    instant_taken,
    photo_notices,
    photos,
)
from libs.common.database.tables.uploads import (
    resumable_uploads,
    upload_digests,
    upload_jobs,
    watchers,
)

__all__ = [
    "IS_FAILED",
    "MOMENT_TAKEN",
    "account_links",
    "api_keys",
    "audit",
    "aws_usage",
    "cameras",
    "consents",
    "dead_letters",
    "downloads",
    "erasures",
    "event_notices",
    "events",
    "external_collections",
    "face_checks",
    "face_removals",
    "faces",
    "favourites",
    "guest_copies",
    "instant_taken",
    "mails",
    "match_overrides",
    "match_partitions",
    "matches",
    "matching_settings",
    "memberships",
    "metadata",
    "oidc_identities",
    "outbox",
    "photo_notices",
    "photos",
    "rate_limits",
    "recognition_replicas",
    "resumable_uploads",
    "selfie_indexes",
    "selfies",
    "sessions",
    "upload_digests",
    "upload_jobs",
    "users",
    "walls",
    "watchers",
]
