"""What a login is called, so that its owner knows it again."""

import re

MAX_LABEL_CHARACTERS = 60
UNKNOWN = "Unknown device"

#: The first that a user agent names: most name older ones as well, to be taken for them.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "Mac"),
    ("Linux", "Linux"),
)
#: What comes before the version of a program that is no browser: `python-httpx/0.28`.
_PRODUCT = re.compile(r"[A-Za-z][A-Za-z0-9 ._-]{1,39}")


def label_of(user_agent: str | None) -> str:
    """Return the browser and the system, or the program's name: less than would tell devices apart.

    A user agent may be any text; no more of it comes through than letters of a name.
    """
    if not user_agent:
        return UNKNOWN
    browser = _first(_BROWSERS, user_agent)
    system = _first(_SYSTEMS, user_agent)
    if browser or system:
        return " on ".join(name for name in (browser, system) if name)
    product = _PRODUCT.match(user_agent)
    return product[0].strip()[:MAX_LABEL_CHARACTERS] if product else UNKNOWN


def _first(names: tuple[tuple[str, str], ...], user_agent: str) -> str | None:
    return next((name for sign, name in names if sign in user_agent), None)
