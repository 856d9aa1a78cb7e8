"""`python -m findme_watch`: the same as `findme-watch`."""

import sys

from findme_watch.cli import main

if __name__ == "__main__":
    sys.exit(main())
