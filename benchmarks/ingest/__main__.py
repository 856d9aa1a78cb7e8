"""Measure how photos come in, beside nginx's WebDAV PUT.

python -m benchmarks.ingest [--quick] [--json FILE]
"""

from benchmarks.ingest import measure
from benchmarks.report import main

if __name__ == "__main__":
    main(measure)
