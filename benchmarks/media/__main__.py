"""Measure what media sends, beside nginx and S3 themselves.

python -m benchmarks.media [--quick] [--json FILE]
"""

from benchmarks.media import measure
from benchmarks.report import main

if __name__ == "__main__":
    main(measure)
