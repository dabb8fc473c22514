"""A block of log lines as the chain of exceptions that it tells of, from the first to the one that ended the run.

Python through py4j through Java's `Caused by` and back into a Python worker: each nests in the other's message, printed
from the outermost to the innermost, while Python's own chain (`During handling of …`) is printed the other way round.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from scripts.diagnosis.model import Block, Frame, Line, Raised
from scripts.diagnosis.scan import LOGGED

_TRACEBACK = "Traceback (most recent call last):"
_JOINERS = ("During handling of the above exception", "The above exception was the direct cause")
_FILE = re.compile(r'\s*File "(?P<file>[^"]+)", line (?P<line>\d+)(?:, in (?P<function>.+))?')
_JAVA_NAME = r"(?:[a-z_$][\w$]*\.)+[A-Z_][\w$]*"
_JAVA = re.compile(
    rf'(?:\s*(?:Caused by|Suppressed): |: |Exception in thread "[^"]*" )?(?P<type>{_JAVA_NAME})(?:: ?(?P<message>.*))?'
)
_IN_LINE = re.compile(rf"(?P<type>{_JAVA_NAME}(?:Exception|Error|Failure|Throwable))(?:: (?P<message>.*))?")
_AT = re.compile(r"\s+at (?P<function>[\w.$<>/ ]+)\((?P<file>[\w$.-]+\.(?:java|scala|kt)):(?P<line>\d+)\)")
_PYTHON = re.compile(r"\s*(?P<type>[A-Za-z_][\w.]*)(?::(?: (?P<message>.*))?)?$")
_SYNTAX = re.compile(r"(?:Syntax|Indentation|Tab)Error\b")

# Code that is not the user's own.
_FRAMEWORK_PYTHON = re.compile(
    r"[/\\](?:site|dist)-packages[/\\]|[/\\]pyspark(?:\.zip)?[/\\]|[/\\]py4j|[/\\]lib(?:64)?[/\\]python\d|^<|/lib/spark/"
)
_FRAMEWORK_JAVA = re.compile(
    r"(?:[\w.]+/)?(?:org\.apache|java|javax|jdk|sun|com\.sun|scala|py4j|io\.netty|com\.amazon|com\.amazonaws|aws\d+"
    r"|software\.amazon|org\.sparkproject|com\.fasterxml|com\.google)\."
)
_MESSAGE_LINES = 12


@dataclass
class _Open:
    """An exception whose lines are still being read."""

    kind: str
    line: Line
    type: str = ""
    message: list[str] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    complete: bool = False  # its type and message are known
    has_stack: bool = False

    def closed(self) -> Raised:
        framework = _FRAMEWORK_JAVA if self.kind == "java" else _FRAMEWORK_PYTHON
        own = [
            frame
            for frame in self.frames
            if not framework.search(frame.function if self.kind == "java" else frame.file)
        ]
        frame = (own[0] if self.kind == "java" else own[-1]) if own else None
        worker = self.kind == "python" and any(
            "pyspark" in one.file and one.name in ("worker.py", "daemon.py") for one in self.frames
        )
        return Raised(self.kind, self.type, "\n".join(self.message).strip(), self.line, frame, worker)


def chain_of(block: Block) -> list[Raised]:
    """The exceptions of the block, the first one first; a single line without any is a chain of its own words."""
    reader = _Reader()
    for line in block.lines:
        reader.read(line)
    chain = reader.chain()
    if not chain:
        first = block.first
        chain = [Raised("words", "", words_of(block.text), first)]
    return chain


def words_of(text: str) -> str:
    """A log line without its time stamp and level."""
    logged = LOGGED.match(text)
    return text[logged.end() :].strip() if logged else text


class _Reader:
    def __init__(self) -> None:
        # A list for each link of Python's own chain; in it, from the outermost exception to the innermost, groups.
        self.links: list[list[list[_Open]]] = [[]]
        self.joined = False

    @property
    def current(self) -> _Open | None:
        link = self.links[-1]
        return link[-1][-1] if link else None

    def chain(self) -> list[Raised]:
        """From the first to the last; what a Python worker raised is quoted in a PythonException's message."""
        chain = []
        for link in self.links:
            quoted = False
            groups = []
            for group in link:
                groups.append(
                    [replace(raised, in_executor=raised.in_executor or quoted) for raised in map(_Open.closed, group)]
                )
                quoted = group[-1].type.endswith("PythonException")
            chain += [raised for group in reversed(groups) for raised in group if raised.type]
        return chain

    def read(self, line: Line) -> None:
        text, current = line.text, self.current
        if _TRACEBACK in text:
            self._header(line, text.partition(_TRACEBACK)[0])
            self._begin(_Open("python", line))
        elif text.lstrip().startswith(_JOINERS):
            self.joined = True
            if not self._inside_java():
                self.links.append([])
        elif found := _FILE.match(text):
            if current is None or current.complete or current.kind != "python":  # a SyntaxError has no Traceback line
                self._begin(current := _Open("python", line))
            current.frames.append(Frame(found["file"], int(found["line"]), (found["function"] or "").strip()))
        elif current and current.kind == "python" and not current.complete:
            self._in_traceback(current, line)
        elif found := _AT.match(text):
            if current and current.kind == "java":
                current.has_stack = True
                current.frames.append(Frame(found["file"], int(found["line"]), found["function"]))
        elif text.lstrip().startswith(("at ", "... ", "Driver stacktrace:")):
            if current and current.kind == "java":
                current.has_stack = True
        elif (
            not self._header(line, text) and current and len(current.message) < _MESSAGE_LINES and not current.has_stack
        ):
            current.message.append(text)

    def _in_traceback(self, current: _Open, line: Line) -> None:
        """A line of source, or the exception itself."""
        text = line.text
        syntax = _SYNTAX.match(text.strip())
        found = _PYTHON.match(text)
        margin = len(text) - len(text.lstrip())
        if found and (syntax or margin <= self._margin(current)):
            current.type, current.message = found["type"], [found["message"] or ""]
            current.complete, current.line = True, line
        elif current.frames and not current.frames[-1].source and set(text.strip()) - set("^~ "):
            last = current.frames[-1]
            current.frames[-1] = Frame(last.file, last.line, last.function, text.strip())

    @staticmethod
    def _margin(current: _Open) -> int:
        started = current.line.text
        return 0 if _TRACEBACK in started and not started.startswith(" ") else len(started) - len(started.lstrip())

    def _header(self, line: Line, text: str) -> bool:
        """Whether the text names a Java exception, which begins here."""
        logged = LOGGED.match(text)
        found = None if logged else _JAVA.match(text)
        if not found and (logged or "Exception" in text or "Error" in text):
            found = _IN_LINE.search(text)
            if found and not logged and found.start() and self.current:
                return False  # it is spoken of, in the message of another
        if not found:
            return False
        self._begin(_Open("java", line, found["type"], [text[found.start("type") + len(found["type"]) :].lstrip(": ")]))
        return True

    def _begin(self, one: _Open) -> None:
        link = self.links[-1]
        if self.joined and self._inside_java() and link and one.kind == "python":
            link[-1].append(one)
        else:
            link.append([one])
        self.joined = False

    def _inside_java(self) -> bool:
        """Whether what is read belongs to the message of a Java exception: its stack has not begun."""
        link = self.links[-1]
        javas = [one for group in link for one in group if one.kind == "java"]
        return bool(javas) and not javas[-1].has_stack
