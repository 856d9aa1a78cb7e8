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
        ("ingest", r"/api/photographer/events/\d+/(upload-photos(-async)?|connections)"),
        ("ingest", r"/api/events/\d+/(photos/[^/]+|progress)"),
        ("ingest", r"/api/(upload-selfie|validate-selfie|(register-invite|join)-with-selfie)"),
        ("ingest", r"/api/upload-jobs/[^/]+/status"),
        ("ingest", r"/api/uploads(/[^/]+)?"),
        ("ingest", r"/api/admin/local-watchers(/events|/\d+(/heartbeat)?)?"),
        ("media", r"/api/media/.+"),
        ("media", r"/api/image/[^/]+"),
        ("media", r"/api/photo/\d+"),
        ("media", r"/api/selfie/\d+"),
        ("media", r"/api/downloads/[^/]+(/photos\.zip)?"),
        ("ingest", r"/api/docs/ingest.*"),
        ("media", r"/api/docs/media.*"),
        ("gallery", r"/api/.*"),
        ("gallery", r"/(livez|readyz|metrics)"),
        # The browser app: its pages, and the files that they load.
        ("gallery", r"/((e|studio|wall|admin|start)(/.*)?)?"),
        ("gallery", r"/(_app|icons)/.+"),
        ("gallery", r"/(icon\.svg|manifest\.webmanifest|service-worker\.js)"),
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
