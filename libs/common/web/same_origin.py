"""Whether a request comes from our own pages: others may make a browser send its cookies along.

A cookie alone therefore changes nothing (OWASP, Cross-Site Request Forgery Prevention: fetch
metadata, and the origin where a browser sends none, as it does without TLS).
"""

from urllib.parse import urlsplit

from starlette.datastructures import Headers

_DEFAULT_PORTS = {"http": 80, "https": 443}
#: These change nothing.
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def is_same_origin(headers: Headers) -> bool:
    """Whether the browser says so; False where it says nothing."""
    fetch_site = headers.get("sec-fetch-site")
    if fetch_site is not None:
        return fetch_site == "same-origin"
    return _is_host_of(headers.get("origin", ""), headers.get("host", ""))


def is_other_origin(headers: Headers) -> bool:
    """Whether the browser says that another website sends it; False where it says nothing."""
    says_it = "sec-fetch-site" in headers or "origin" in headers
    return says_it and not is_same_origin(headers)


def _is_host_of(origin: str, host: str) -> bool:
    """Whether the origin's host and port are those that were asked.

    Its scheme is not compared: behind a proxy that ends TLS and does not say so, ours is another.
    """
    try:
        from_where, asked = urlsplit(origin), urlsplit(f"//{host}")
        default = _DEFAULT_PORTS.get(from_where.scheme)
        return (
            default is not None
            and bool(from_where.hostname)
            and from_where.hostname == asked.hostname
            and (from_where.port or default) == (asked.port or default)
        )
    except ValueError:  # no address, or no port
        return False
