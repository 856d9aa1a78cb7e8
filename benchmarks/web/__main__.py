"""Measure the browser app in Chromium, on a FindMe of its own.

python -m benchmarks.web [--quick] [--json FILE]
"""

from benchmarks.report import main
from benchmarks.web import measure

if __name__ == "__main__":
    main(measure)
