"""Play the rush, the evening after and the live streams.

python -m benchmarks.rush [--quick] [--apart] [--json FILE]
"""

import sys
from functools import partial

from benchmarks.report import main
from benchmarks.rush import measure

if __name__ == "__main__":
    # The four services with RabbitMQ instead of standalone.
    is_apart = "--apart" in sys.argv
    if is_apart:
        sys.argv.remove("--apart")
    main(partial(measure, apart=is_apart))
