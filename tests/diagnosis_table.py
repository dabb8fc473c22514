"""The table of docs/diagnosis.md: each category, its samples, and how many of them are told right.

    python -m tests.diagnosis_table

A sample is a folder tests/logs/<category>/<name>/ in EMR's layout. `SOURCE` names where it is from if it was not made
by `python -m tests.make_log_samples`; `facts.json` is what EMR's API said.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from scripts.diagnosis import Diagnosis, Facts, diagnose, of_folder
from scripts.diagnosis.catalogue import CATEGORIES

LOGS = Path(__file__).with_name("logs")
WITHOUT_A_CAUSE = ("healthy", "unknown")


@dataclass(frozen=True)
class Sample:
    folder: Path

    @property
    def name(self) -> str:
        return f"{self.folder.parent.name}/{self.folder.name}"

    @property
    def category(self) -> str:
        """What is to be found; empty where nothing is."""
        return "" if self.folder.parent.name in WITHOUT_A_CAUSE else self.folder.parent.name

    @property
    def is_real(self) -> bool:
        return not (self.folder / "SOURCE").exists()

    def facts(self) -> Facts:
        """What EMR said of it, or would have."""
        file = self.folder / "facts.json"
        if not file.exists():
            return Facts(step_state="COMPLETED" if self.folder.parent.name == "healthy" else "FAILED")
        said = json.loads(file.read_text(encoding="utf-8"))
        return Facts(**{**said, "errors": tuple(said.get("errors", ()))})

    def diagnosis(self, *, files_only: bool = False) -> Diagnosis:
        """`files_only`: as for a folder that somebody sent, of which EMR says nothing."""
        return diagnose(of_folder(self.folder), None if files_only else self.facts())

    def can_do_without_emr(self) -> bool:
        """Whether its logs alone tell the cause: a cluster that never came up has none."""
        return not (self.folder / "facts.json").exists()


def samples() -> list[Sample]:
    return [Sample(folder) for folder in sorted(LOGS.glob("*/*")) if folder.is_dir()]


def table() -> str:
    """In Markdown, with the sums in the last line."""
    rows: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples():
        rows[sample.folder.parent.name].append(sample)
    lines = ["| category | samples | real | found | sure |", "| --- | ---: | ---: | ---: | ---: |"]
    sums = [0, 0, 0, 0]
    for name in (*CATEGORIES, *WITHOUT_A_CAUSE):
        ours = rows[name]
        found = [one.diagnosis() for one in ours]
        right = [one for one, sample in zip(found, ours, strict=True) if one.category == sample.category]
        counts = [len(ours), sum(one.is_real for one in ours), len(right), sum(one.certain for one in right)]
        sums = [a + b for a, b in zip(sums, counts, strict=True)]
        what = f"{name} (no cause to be found)" if name in WITHOUT_A_CAUSE else name
        lines.append(f"| {what} | " + " | ".join(map(str, counts)) + " |")
    lines.append("| **all** | " + " | ".join(f"**{number}**" for number in sums) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
