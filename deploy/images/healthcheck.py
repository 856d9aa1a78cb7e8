"""Docker's health check: status 0 when the service in this container is ready for requests."""

import os
import sys
import urllib.error
import urllib.request

TIMEOUT_SECONDS = 4

host = os.environ.get("HOST", "")
if host in {"", "0.0.0.0", "::"}:  # noqa: S104 - compared, not listened on
    host = "127.0.0.1"
# The container's neighbours may go through a proxy; this request does not.
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
try:
    opener.open(f"http://{host}:{os.environ['PORT']}/readyz", timeout=TIMEOUT_SECONDS)
except OSError as error:
    # Shown by `docker inspect`; the service's answer says what is missing.
    body = error.read().decode() if isinstance(error, urllib.error.HTTPError) else ""
    sys.exit(f"{error} {body}")
