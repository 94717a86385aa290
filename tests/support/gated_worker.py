"""The real worker process, with the gated provider beside the built-in ones: python -m tests.support.gated_worker"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from service.bot.__main__ import main
from tests.support.providers import Gated

if __name__ == "__main__":
    gated = Gated(Path(os.environ["TEST_GATE"]))
    sys.exit(main({"gated": gated}, float(os.environ["TEST_DRAIN_SECONDS"])))
