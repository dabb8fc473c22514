"""The lines of HOME/faults.json: what they may say, and which of them is due. See `faults.py` for what they mean."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

REQUEST_KINDS = ("throttle", "error", "expired", "denied", "reset", "lost", "slow", "rates")
CLUSTER_KINDS = ("no-capacity", "bootstrap-failure", "slow-logs", "no-logs")
STEP_KINDS = ("step-killed", "step-interrupted", "lost-core-node", "cluster-lost")
KINDS = (*REQUEST_KINDS, *CLUSTER_KINDS, *STEP_KINDS)


@dataclass
class Rule:
    """One line, and how many times what it is about has happened. `*` and `?` stand for any text."""

    kind: str
    service: str = "*"
    operation: str = "*"
    cluster: str = "*"
    step: str = "*"
    skip: int = 0
    times: int = 1
    seconds: float = 1.0
    seen: int = 0

    @classmethod
    def of(cls, line: Any) -> Rule:
        """ValueError, with what is wrong, for a line that is no rule."""
        if not isinstance(line, dict):
            raise ValueError(f"a rule should be an object, not {line!r}")
        types = {field.name: field.type for field in fields(cls) if field.name != "seen"}
        if unknown := sorted(set(line) - set(types)):
            raise ValueError(f"a rule has no {', '.join(unknown)}")
        if line.get("kind") not in KINDS:
            raise ValueError(f"kind should be one of {', '.join(KINDS)}, not {line.get('kind')!r}")
        for name, value in line.items():
            expected = {"str": str, "int": int, "float": (int, float)}[str(types[name])]
            if not isinstance(value, expected) or isinstance(value, bool):  # type: ignore[arg-type]
                raise ValueError(f"{name} should be {types[name]}, not {value!r}")
        return cls(**line)

    def is_about(self, subject: Mapping[str, Collection[str]]) -> bool:
        """Whether a subject is meant, by its names: {"cluster": (name, id)}."""
        return all(any(fnmatchcase(name, getattr(self, aspect)) for name in names) for aspect, names in subject.items())

    def meets(self, subject: Mapping[str, Collection[str]]) -> bool:
        """Whether the fault is due for a subject. Counts it."""
        if not self.is_about(subject):
            return False
        self.seen += 1
        return self.seen > self.skip and (self.times < 0 or self.seen <= self.skip + self.times)


class Rules:
    """The rules of a file, read anew whenever it changes. A line that is no rule is reported and left out."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._version: tuple[int, int, int] | None = None
        self._rules: list[Rule] = []

    def due(self, kinds: Collection[str], **subject: Collection[str]) -> Rule | None:
        """The first rule of these kinds that is due."""
        if not self._rules and self._look() is None:
            return None  # as nearly always, and then many requests at once need not wait for each other here
        with self._lock:
            self._refresh()
            return next((rule for rule in self._rules if rule.kind in kinds and rule.meets(subject)), None)

    def is_there(self, kind: str, **subject: Collection[str]) -> bool:
        """Whether there is a rule of this kind; it is not counted."""
        with self._lock:
            self._refresh()
            return any(rule.kind == kind and rule.is_about(subject) for rule in self._rules)

    def _refresh(self) -> None:
        version = self._look()
        if self._version != version:
            self._version, self._rules = version, self._read() if version else []

    def _look(self) -> tuple[int, int, int] | None:
        try:
            stat = self.path.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_ino, stat.st_size

    def _read(self) -> list[Rule]:
        try:
            lines = json.loads(self.path.read_text())
            if not isinstance(lines, list):
                raise ValueError("it should hold a list of rules")
        except (OSError, ValueError) as error:
            print(f"{self.path} is left out: {error}", file=sys.stderr)
            return []
        rules = []
        for number, line in enumerate(lines, 1):
            try:
                rules.append(Rule.of(line))
            except ValueError as error:
                print(f"{self.path}: rule {number} is left out: {error}", file=sys.stderr)
        return rules
