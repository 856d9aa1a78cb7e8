"""The gateway's table as nginx's locations: `python -m standalone.nginx_routes` prints them."""

import sys

from standalone.gateway_routes import ROUTES

#: Answered by a service, but not to the outside: the gateway says 404 before it looks further.
HIDDEN = ("/metrics",)

_HEAD = """\
# Written by `python -m standalone.nginx_routes`, from standalone/gateway_routes.py.
# As there, the first pattern that matches decides; a path without one stays 404.
"""


def locations() -> str:
    """Return the locations, in order; `settings/<service>.conf` says how each is passed on."""
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
    sys.stdout.write(locations())
