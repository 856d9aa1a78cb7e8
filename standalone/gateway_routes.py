"""Which service answers which path: the one table of it."""

import re
from typing import Final

#: The first pattern that matches the path decides.
ROUTES: Final = tuple(
    (service, re.compile(pattern))
    for service, pattern in (
        ("ingest", r"/api/photographer/events/\d+/upload-photos(-async)?"),
        ("ingest", r"/api/(upload-selfie|validate-selfie)"),
        ("media", r"/api/media/.+"),
        ("media", r"/api/image/[^/]+"),
        ("media", r"/api/photo/\d+"),
        ("media", r"/api/selfie/\d+"),
        ("ingest", r"/api/docs/ingest.*"),
        ("media", r"/api/docs/media.*"),
        ("gallery", r"/api/.*"),
        ("gallery", r"/(livez|readyz|metrics)"),
    )
)


def service_for(path: str) -> str | None:
    """Return the service's name, None for a path that the outside may not reach."""
    for service, pattern in ROUTES:
        if pattern.fullmatch(path):
            return service
    return None
