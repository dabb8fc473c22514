"""The values that pass between the parts of the diagnosis. No behaviour that needs a file, AWS or a screen."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

CAUSE, CONSEQUENCE = "cause", "consequence"


@dataclass(frozen=True)
class Rule:
    """One way in which a run fails: where it shows, what it means, what to do.

    `patterns` are regular expressions, tried against each exception of a chain as `Type: message`, and against single
    lines that speak of trouble. Their named groups fill the {names} in `means` and `do`.
    """

    category: str
    patterns: tuple[str, ...]
    means: str
    do: str
    where: str = "any"
    """`any`; or only `driver` or `executor` (which side raised it), `bootstrap`, `waiting` (the log ends with it)."""
    role: str = CAUSE
    """A consequence (an executor was lost, a shuffle block is gone) gives way to a cause found elsewhere."""
    explained_by: tuple[str, ...] = ()
    """Categories that a consequence gives way to, where their lines are found."""
    alone: bool = True
    """Whether a single line that matches, without an exception that ended the run, is enough to speak up."""


class Side(IntEnum):
    """Whose log it is, in the order in which they are worth reading."""

    DRIVER = 0
    STEP = 1
    CONTROLLER = 2
    EXECUTOR = 3
    ATTEMPT = 4  # a driver that YARN started again
    BOOTSTRAP = 5
    OTHER = 6


@dataclass(frozen=True)
class LogFile:
    """One log on this machine, and where it came from."""

    path: Path
    name: str
    """Its path below the cluster's logs, without .gz."""
    side: Side
    stream: str
    """stdout, stderr, syslog, controller, or the file's own name."""
    uri: str = ""
    application: str = ""


@dataclass(frozen=True)
class Line:
    """A line of a log; its number counts from 1."""

    number: int
    text: str


@dataclass(frozen=True)
class Block:
    """Lines that belong together: a traceback, a Java exception with its causes, or a single line of trouble."""

    file: LogFile
    lines: tuple[Line, ...]
    after: int = 0
    """How many lines that say something follow it in its file: a traceback with none after it ended the process."""

    @property
    def first(self) -> Line:
        return self.lines[0]

    @property
    def text(self) -> str:
        return "\n".join(line.text for line in self.lines)


@dataclass(frozen=True)
class Frame:
    """One entry of a traceback."""

    file: str
    line: int
    function: str = ""
    source: str = ""

    @property
    def name(self) -> str:
        return self.file.replace("\\", "/").rpartition("/")[2]


@dataclass(frozen=True)
class Raised:
    """One exception of a chain; `frame` is the deepest entry that is the user's own code."""

    kind: str
    """`python`, `java`, or `words`: what a program said last, without an exception."""
    type: str
    message: str
    line: Line
    frame: Frame | None = None
    in_executor: bool = False

    def __str__(self) -> str:
        return ": ".join(part for part in (self.type, self.message) if part)


@dataclass
class Scan:
    """What one pass over a file has found: bounded, whatever the file's size."""

    file: LogFile
    blocks: list[Block] = field(default_factory=list)
    tail: tuple[Line, ...] = ()
    """Its last lines that are no noise."""
    failed: bool = False
    succeeded: bool = False
    accepted: int = 0
    """How often YARN reported the application as waiting, with nothing after it."""
    size: int = 0


@dataclass(frozen=True)
class Facts:
    """What EMR's API says of the run; empty where only files are at hand."""

    step_state: str = ""
    step_reason: str = ""
    cluster_state: str = ""
    cluster_code: str = ""
    cluster_reason: str = ""
    errors: tuple[str, ...] = ()
    """ErrorDetails, a line each."""


@dataclass(frozen=True)
class Evidence:
    """A place to look at."""

    name: str
    line: int
    text: str
    uri: str = ""
    path: Path | None = None


@dataclass(frozen=True)
class Diagnosis:
    """Why a run failed; `category` is empty where no cause was found, and then `evidence` is the likeliest lines."""

    category: str = ""
    means: str = ""
    do: str = ""
    certain: bool = False
    exception: str = ""
    chain: tuple[str, ...] = ()
    """The exceptions from the first to the one that ended the run."""
    frame: Frame | None = None
    evidence: tuple[Evidence, ...] = ()
    failed: bool = True
    """False where the logs are a healthy run's."""

    @property
    def found(self) -> bool:
        return bool(self.category)
