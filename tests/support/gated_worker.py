"""The real worker process, with providers of the tests beside its own: python -m tests.support.gated_worker"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from service.bot import receiver
from service.bot.__main__ import main
from tests.support.providers import Endless, Gated

if __name__ == "__main__":
    gated = Gated(Path(os.environ["TEST_GATE"]))
    receiver.HOLD = float(os.environ["TEST_HOLD_SECONDS"])
    drain, grace = float(os.environ["TEST_DRAIN_SECONDS"]), float(os.environ["TEST_GRACE_SECONDS"])
    sys.exit(main({"gated": gated, "endless": Endless(hears=True), "deaf": Endless(hears=False)}, drain, grace))
