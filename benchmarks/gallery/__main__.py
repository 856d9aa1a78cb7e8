"""Measure the gallery's lists beside pgbench and an empty answer of the same size.

python -m benchmarks.gallery [--quick] [--json FILE]
"""

from benchmarks.gallery import measure
from benchmarks.report import main

if __name__ == "__main__":
    main(measure)
