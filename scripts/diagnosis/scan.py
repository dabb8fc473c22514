"""One pass over a log of any size: what in it speaks of trouble, as blocks of lines that belong together.

The file is mapped, not read: memory stays small whatever its size. A few literal needles are looked for at memory
speed; regular expressions see only the lines that hold one.
"""

from __future__ import annotations

import itertools
import mmap
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import replace

from scripts.diagnosis.catalogue.noise import NOISE
from scripts.diagnosis.model import Block, Line, LogFile, Scan

CHUNK = 1 << 20
KEPT, ALIKE, KINDS, SIGN_BYTES = 400, 5, 20_000, 100
"""Blocks kept of a file, besides those at its end; of lines that begin alike; how many beginnings are told apart."""
BLOCK_LINES, BLOCK_HEAD = 1500, 1000
LINE_BYTES = 8192
_MESSAGE_LINES = 12
TAIL_BYTES, TAIL_LINES = 256 * 1024, 30

# Every line that a rule or a verdict is to see holds one of them.
NEEDLES = tuple(
    word.encode()
    for word in (
        "rror", "RROR", "xception", "raceback", "ailed", "ailure", "illed", "enied", "ot found", "No s", "ost executor",
        "ecommission", "nable to", "ould not",
    )
)  # fmt: skip
# What a run came to is said at the end of a log: only there is it looked for.
_FAILED = re.compile(
    rb"final status: (?:FAILED|KILLED)|finished with (?:failed|killed) status|Final app status: (?:FAILED|KILLED)"
    rb"|Command exiting with ret '(?!0')|Step failed with exit|\(state: (?:FAILED|KILLED)\)|failed \d+ times due to AM"
    rb"|Execution failed with code|ended with exit code [1-9]"
)
_SUCCEEDED = re.compile(
    rb"final status: SUCCEEDED|Final app status: SUCCEEDED|Command exiting with ret '0'|Step succeeded with exit"
    rb"|ended with exit code 0"
)
_ACCEPTED_LINE = "(state: ACCEPTED)"
_ACCEPTED = re.compile(rb"Application report for \S+ \(state: (\w+)\)")

STAMP = r"(?:\d\d/\d\d/\d\d \d\d:\d\d:\d\d|\[?\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:[.,]\d+)?Z?\]?)"
LOGGED = re.compile(rf"{STAMP}[,:]?\s+(?:\[[^\]]*\]\s+)?(?P<level>TRACE|DEBUG|INFO|WARN(?:ING)?|ERROR|FATAL)\b")
_STAMPED = re.compile(r"\d\d/\d\d/\d\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d")
_JAVA = re.compile(r"(?:Caused by: |Suppressed: )?(?:[a-z_$][\w$]*\.)+[A-Z_][\w$.]*(?::? |$|:)")
_PYTHON = re.compile(r"[A-Za-z_][\w.]*(?:: |:$|$)")
_JOINED = (
    "Traceback (most recent call last)", "During handling of the above", "The above exception was", "Caused by: ",
    "Driver stacktrace:", ": ", "JVM stacktrace:", "== SQL", "== DataFrame", "Suppressed: ", "+-", ":-", "'", "~",
    "^^^", "SQLSTATE", "[CIRCULAR REFERENCE",
)  # fmt: skip
_NOISE = re.compile("|".join(f"(?:{pattern})" for pattern in NOISE))
_TELLING = re.compile(
    r"iagnostics|ecommission|[Ll]ost|Exit status|illed|threw exception|failed \d+ times|Failed to (?:down|fetch)"
)
_SYNTAX = re.compile(rb"(?:Syntax|Indentation|Tab)Error\b")
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def scan(file: LogFile) -> Scan:
    """Read the log once. Of lines that are alike but for their numbers the first few are kept, and the log's last."""
    found = Scan(file, size=file.path.stat().st_size)
    if not found.size:
        return found
    with file.path.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as data:
        kept: list[Block] = []
        last: deque[tuple[int, int]] = deque(maxlen=KEPT * 4)
        alike: dict[bytes, int] = {}
        past = 0  # where the last block ended
        for offset, number, sign in _hits(data):
            if offset < past:
                continue
            times = alike[sign] = alike.get(sign, 0) + 1
            if times > ALIKE or len(kept) >= KEPT or len(alike) > KINDS:
                last.append((offset, number))
                continue
            block, past = _block(file, data, offset, number)
            if _speaks(block):
                kept.append(block)
        for offset, number in last:
            if offset >= past:
                block, past = _block(file, data, offset, number)
                if _speaks(block):
                    kept.append(block)
        _read_end(data, found)
    found.blocks = _counted_after(sorted(kept, key=lambda block: block.first.number), found.tail)
    return found


def _speaks(block: Block) -> bool:
    first = block.first.text
    return not (_is_idle(first) or _NOISE.search(first))


def _hits(data: mmap.mmap) -> Iterator[tuple[int, int, bytes]]:
    """(offset, number, beginning without its digits) of each line that holds a needle, in order."""
    number, size, start = 1, len(data), 0
    while start < size:
        stop = min(start + CHUNK, size)
        if stop < size and (newline := data.rfind(b"\n", start, stop)) >= 0:
            stop = newline + 1  # whole lines
        chunk = data[start:stop]
        begins = set()
        for needle in NEEDLES:
            at = chunk.find(needle)
            while at >= 0:
                begins.add(chunk.rfind(b"\n", 0, at) + 1)
                newline = chunk.find(b"\n", at)
                at = chunk.find(needle, newline) if newline >= 0 else -1
        counted, before = 0, 0
        for begin in sorted(begins):
            counted += chunk.count(b"\n", before, begin)
            before = begin
            yield start + begin, number + counted, chunk[begin : begin + SIGN_BYTES].translate(None, b"0123456789")
        number += counted + chunk.count(b"\n", before)
        start = stop


def _lines(data: mmap.mmap, offset: int, number: int) -> Iterator[tuple[Line, int]]:
    """The lines from `offset` on, each with the offset of the next."""
    size = len(data)
    while offset < size:
        newline = data.find(b"\n", offset)
        stop = size if newline < 0 else newline
        yield Line(number, text_of(data[offset : min(stop, offset + LINE_BYTES)])), stop + 1
        offset, number = stop + 1, number + 1


def text_of(raw: bytes) -> str:
    """A line as a person would see it: no progress bar that was overwritten, no colours, no NULs."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode("utf-8", errors="replace")
    if "\r" in text:
        text = text.rstrip("\r").rpartition("\r")[2]
    if "\x1b" in text:
        text = _ANSI.sub("", text)
    return text.replace("\0", "").rstrip()


def _block(file: LogFile, data: mmap.mmap, offset: int, number: int) -> tuple[Block, int]:
    """The block that begins with the line at `offset`, and the offset of the line after it."""
    offset, number = _from_its_file_line(data, offset, number)
    kept: list[Line] = []
    last: deque[Line] = deque(maxlen=BLOCK_LINES - BLOCK_HEAD)
    past, blank, awaited, raised = offset, 0, False, False
    for line, after in _lines(data, offset, number):
        text = line.text
        if kept:
            if not text:
                blank += 1
                if blank > 2:
                    break
                continue
            if not _belongs(text, awaited, blank) and not (raised and _stack_follows(data, after, text)):
                break
        # A traceback's File lines are followed by the exception itself, at the margin.
        awaited = not text.startswith("\tat ") and text.startswith(("  ", "Traceback (most", "\t", "ERROR:"))
        awaited = awaited or bool(LOGGED.match(text))
        raised = raised or "Exception" in text or "Error" in text
        blank, past = 0, after
        (kept if len(kept) < BLOCK_HEAD else last).append(line)
        if len(kept) == BLOCK_HEAD and len(last) == last.maxlen and line.number - number > 50 * BLOCK_LINES:
            break
    return Block(file, (*kept, *last)), past


def _from_its_file_line(data: mmap.mmap, offset: int, number: int) -> tuple[int, int]:
    """Where a SyntaxError of the job's own file begins: it has no `Traceback` line, but a File line before it."""
    if not _SYNTAX.match(data[offset : offset + 20]):
        return offset, number
    at = offset
    for back in range(1, 7):
        at = data.rfind(b"\n", 0, max(0, at - 1)) + 1
        if data[at : at + 8] == b'  File "':
            return at, number - back
        if at == 0 or data[at : at + 1] not in b" \t":
            break
    return offset, number


def _belongs(text: str, awaited: bool, blank: int) -> bool:
    if LOGGED.match(text) or _STAMPED.match(text):
        return False
    if text[0] in " \t|" or text.startswith(_JOINED) or _JAVA.match(text):
        return True
    return awaited and not blank and bool(_PYTHON.match(text))


def _stack_follows(data: mmap.mmap, offset: int, text: str) -> bool:
    """Whether a line at the margin is of an exception's message (a query, a record): its stack begins soon after."""
    if LOGGED.match(text) or _STAMPED.match(text) or text.startswith("Exception in thread"):
        return False
    for (line, _), _nth in zip(_lines(data, offset, 0), range(_MESSAGE_LINES), strict=False):
        if line.text.startswith(("\tat ", "    at ")):
            return True
        if LOGGED.match(line.text) or _STAMPED.match(line.text) or line.text.startswith(("Traceback", "Exception in")):
            return False
    return False


def _read_end(data: mmap.mmap, found: Scan) -> None:
    """The outcome, and the last lines that say something."""
    start = max(0, len(data) - TAIL_BYTES)
    end = data[start:]
    found.failed, found.succeeded = bool(_FAILED.search(end)), bool(_SUCCEEDED.search(end))
    states = _ACCEPTED.findall(end)
    found.accepted = len(states) if states and set(states) == {b"ACCEPTED"} else 0
    before = sum(data[at : min(at + CHUNK, start)].count(b"\n") for at in range(0, start, CHUNK))
    lines = [line for line, _ in _lines(data, start, before + 1)]
    found.tail = tuple(itertools.islice(filter(_says_something, reversed(lines)), TAIL_LINES))[::-1]


def _says_something(line: Line) -> bool:
    if not line.text or (says_nothing(line.text) and _ACCEPTED_LINE not in line.text):
        return False
    return not _NOISE.search(line.text)


def says_nothing(text: str) -> bool:
    """A line that is only the log of things going on."""
    logged = LOGGED.match(text)
    return logged is not None and logged["level"] in ("TRACE", "DEBUG", "INFO")


def _is_idle(text: str) -> bool:
    """A line of information that tells nothing of how a run ended."""
    return says_nothing(text) and not _TELLING.search(text)


def _counted_after(blocks: list[Block], tail: tuple[Line, ...]) -> list[Block]:
    """The blocks, each told how many of the last lines follow it."""
    return [replace(one, after=sum(line.number > one.lines[-1].number for line in tail)) for one in blocks]
