"""A diagnosis as people and programs read it: one screen of lines, or one JSON object. Pure functions, no printing."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from scripts.diagnosis import Diagnosis, Evidence
from scripts.diagnosis.model import Frame

WIDTH = 150
Source = Callable[[str, int], str]
"""(script's name, line) -> the line of source, or an empty string."""


def with_source(found: Diagnosis, source: Source) -> Diagnosis:
    """The same, with the line of code where the traceback did not print it: executors have no copy of the script."""
    if found.frame is None or found.frame.source:
        return found
    return replace(found, frame=replace(found.frame, source=source(found.frame.name, found.frame.line)))


def screen(found: Diagnosis, root: Path, what: str = "the run") -> list[str]:
    """What failed, where in the job's own code, why, what to do; or that it is not known, with the likeliest lines."""
    if not found.failed:
        return [f"✅ {what}: no failure in its logs"]
    if not found.found:
        head = (
            [f"❔ {what}: no cause found. The likeliest lines:"] if found.evidence else [f"❔ {what}: no cause found"]
        )
        return [*head, *(_line(one, root) for one in found.evidence)]
    lines = [f"❌ {found.category}{'' if found.certain else ' (probably)'}: {found.means}"]
    if found.frame:
        lines.append(f"   where     {_place(found.frame, root)}")
        if found.frame.source:
            lines.append(f"             {found.frame.source}")
    if found.exception:
        lines.append(f"   why       {_cut(found.exception)}")
    others = [one for one in found.chain if one != found.exception][:3]
    lines += [f"             which led to  {_cut(one)}" for one in others]
    for number, one in enumerate(found.evidence):
        lines.append(f"   {'evidence' if not number else '        '}  {_line(one, root)}")
    if found.evidence and found.evidence[0].uri:
        lines.append(f"             {found.evidence[0].uri}")
    lines.append(f"   next      {found.do}")
    return lines


def as_json(found: Diagnosis, root: Path, **more: Any) -> dict[str, Any]:
    """The same for programs; `category` is null where no cause was found."""
    frame = found.frame
    return {
        **more,
        "failed": found.failed,
        "category": found.category or None,
        "certain": found.certain,
        "means": found.means,
        "exception": found.exception,
        "chain": list(found.chain),
        "where": frame
        and {"file": _file(frame, root), "line": frame.line, "function": frame.function, "source": frame.source},
        "next": found.do,
        "evidence": [
            {"file": _path(one, root), "line": one.line, "text": one.text, "uri": one.uri or None}
            for one in found.evidence
        ],
    }


def _place(frame: Frame, root: Path) -> str:
    inside = f", in {frame.function}" if frame.function and frame.function != "<module>" else ""
    return f"{_file(frame, root)}:{frame.line}{inside}"


def _file(frame: Frame, root: Path) -> str:
    """The job's script as it lies in the repository, where it is that one; else its name."""
    ours = root / "spark" / frame.name
    return f"spark/{frame.name}" if ours.is_file() else frame.name


def _line(one: Evidence, root: Path) -> str:
    where = f"{_path(one, root)}:{one.line}" if one.line else _path(one, root)
    return f"{where}  {_cut(one.text.strip())}"


def _path(one: Evidence, root: Path) -> str:
    if one.path and one.path.is_relative_to(root):
        return one.path.relative_to(root).as_posix()
    return one.name


def _cut(text: str) -> str:
    text = re.sub(r"\s+", " ", text)
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 1]}…"
