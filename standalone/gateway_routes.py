"""Which service answers which path: the one table of it.

Standalone's gateway reads it; `python -m standalone.gateway_routes` prints it as the locations of
Compose's nginx; the routes of Kubernetes are compared with it.
"""

import re
import sys
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


#: Answered by a service, but not to the outside: the gateway says 404 before it looks further.
HIDDEN = ("/metrics",)

_HEAD = """\
# Written by `python -m standalone.gateway_routes`.
# As there, the first pattern that matches decides; a path without one stays 404.
"""


def service_for(path: str) -> str | None:
    """Return the service's name, None for a path that the outside may not reach."""
    for service, pattern in ROUTES:
        if pattern.fullmatch(path):
            return service
    return None


def nginx_locations() -> str:
    """Return nginx's locations, in order; `settings/<service>.conf` says how each is passed on."""
    blocks = [f"location = {path} {{\n    return 404;\n}}\n" for path in HIDDEN]
    for service, pattern in ROUTES:
        blocks.append(
            # \z, as $ would also match before a line feed at the end.
            f'location ~ "^{pattern.pattern}\\z" {{\n'
            f"    include settings/{service}.conf;\n"
            f"    proxy_pass ${service};\n"
            "}\n"
        )
    return _HEAD + "\n" + "\n".join(blocks)


if __name__ == "__main__":
    sys.stdout.write(nginx_locations())
