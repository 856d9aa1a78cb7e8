"""What lies beside a checkout and is never in it: labelled photos, and small files that go wrong.

Both may be absent: tests that read them skip then.
"""

from pathlib import Path
from typing import Final

BESIDE: Final = Path(__file__).resolve().parents[2].parent / "shared"
CASES: Final = BESIDE / "cases"
