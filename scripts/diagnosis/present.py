"""A finding as a Diagnosis: its words filled in, its line of code, and the lines that show it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from scripts.diagnosis.chain import words_of
from scripts.diagnosis.match import IS_EMPTY, Finding
from scripts.diagnosis.model import Block, Diagnosis, Evidence, Frame, Line, LogFile, Scan, Side

MOST_LINES = 8
_SHELL = re.compile(r"(?P<file>[\w./-]+): line (?P<line>\d+): ")


def diagnosis(found: Finding, *, certain: bool, ended_by: Finding | None = None) -> Diagnosis:
    """What is to be said of a finding; `ended_by` is the consequence that it brought about, and that ended the run."""
    raised, block = found.raised, found.block
    places: list[tuple[LogFile, Line]] = [(block.file, raised.line)]
    if block.first.number != raised.line.number:
        places.append((block.file, block.first))
    if ended_by:
        places.append((ended_by.block.file, ended_by.raised.line))
    whole = (*found.chain, *(ended_by.chain if ended_by else ()))
    frames = [raised.frame, *(one.frame for one in whole if one.kind == "python"), _shell_frame(raised.line.text)]
    return Diagnosis(
        found.rule.category,
        fill(found.rule.means, found.names),
        found.rule.do,
        certain,
        first_line(words_of(raised.line.text) if raised.kind == "words" else str(raised)),
        tuple(dict.fromkeys(first_line(str(one)) for one in whole if str(one))),
        next((frame for frame in frames if frame), None),
        tuple(evidence(file, line) for file, line in places),
    )


def evidence(file: LogFile, line: Line) -> Evidence:
    """A line of a log as a place to look at."""
    return Evidence(file.name, line.number, line.text, file.uri, file.path)


def likely(scans: Sequence[Scan]) -> tuple[Evidence, ...]:
    """The lines that most likely tell more, where no cause was found: of the driver and the step before the rest."""
    lines: list[Evidence] = []
    for one in sorted(scans, key=lambda one: one.file.side):
        if one.file.side is not Side.CONTROLLER or not lines:
            told = [block for block in one.blocks if not IS_EMPTY.search(block.first.text)]
            lines += [evidence(one.file, block.first) for block in told[-2:]]
            lines += [evidence(one.file, line) for line in one.tail[-2:] if not _is_told(line, told)]
    return tuple(lines[:MOST_LINES])


def fill(text: str, names: Mapping[str, str]) -> str:
    """`text` with its {names}; `path2` is another pattern's `path`. Of one that is not given, nothing is left."""
    for name in re.findall(r"\{(\w+)\}", text):
        value = next((value for key, value in names.items() if key.rstrip("23") == name), "")
        text = text.replace(f"{{{name}}}", value)
    return re.sub(r"\s+([.,])", r"\1", text).rstrip(" :")


def first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def _is_told(line: Line, blocks: Sequence[Block]) -> bool:
    return bool(IS_EMPTY.search(line.text)) or any(line in block.lines for block in blocks)


def _shell_frame(text: str) -> Frame | None:
    """`install.sh: line 12: pip4: command not found`"""
    found = _SHELL.search(text)
    return Frame(found["file"], int(found["line"])) if found else None
