"""Token buckets at the rates that AWS publishes for EMR, for an account and Region each.

https://docs.aws.amazon.com/general/latest/gr/emr.html: (burst, refill a second).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

ALL = "*"
RATES = {
    "AddJobFlowSteps": (10, 0.5),
    "CancelSteps": (10, 0.5),
    "DescribeCluster": (10, 1.0),
    "DescribeStep": (10, 0.5),
    "ListBootstrapActions": (10, 1.0),
    "ListClusters": (20, 0.5),
    "ListInstances": (10, 0.5),
    "ListSteps": (10, 0.5),
    "RunJobFlow": (10, 0.5),
    "SetTerminationProtection": (5, 0.2),
    "TerminateJobFlows": (10, 0.5),
    ALL: (200, 50.0),
}


class Buckets:
    """One account's buckets, full at the beginning."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._lock = threading.Lock()
        self._levels: dict[tuple[str, str], tuple[float, float]] = {}  # {(region, operation): (tokens, when)}

    def take(self, region: str, operation: str) -> bool:
        """Take a token for a request; False when there is none. A refused request costs nothing."""
        with self._lock:
            now = self.clock()
            names = [name for name in (operation, ALL) if name in RATES]
            levels = {name: self._level(region, name, now) for name in names}
            if min(levels.values()) < 1:
                return False
            self._levels |= {(region, name): (level - 1, now) for name, level in levels.items()}
            return True

    def _level(self, region: str, name: str, now: float) -> float:
        burst, refill = RATES[name]
        tokens, when = self._levels.get((region, name), (float(burst), now))
        return min(float(burst), tokens + (now - when) * refill)
