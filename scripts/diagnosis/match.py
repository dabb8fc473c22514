"""Rules tried against what the logs hold: an exception's chain, or each line that speaks of trouble."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache

from scripts.diagnosis.catalogue import RULES
from scripts.diagnosis.catalogue.code import FALLBACKS
from scripts.diagnosis.catalogue.noise import EMPTY
from scripts.diagnosis.chain import chain_of, words_of
from scripts.diagnosis.model import CONSEQUENCE, Block, Raised, Rule, Scan, Side

# How an ended application is reported on: true, and no cause.
IS_EMPTY = re.compile("|".join(f"(?:{pattern})" for pattern in EMPTY))

_ON_EXECUTOR = re.compile(
    r"Lost task|ExecutorLost|[Ll]ost executor|executor \d+|executor failures|Python worker"
    r"|Container (?:killed|marked|from)|in stage \d"
)
# Exceptions that a program raises about its own values: whatever their message speaks of, they are the job's own.
_OWN = frozenset({"ValueError", "KeyError", "IndexError", "AssertionError", "ZeroDivisionError", "StopIteration"})
_OF_A_TASK = re.compile(r"Lost task|in stage \d+\.\d+ \(TID")


@dataclass(frozen=True)
class Finding:
    """A rule, and what it matched; `chain` is the whole of the block's, `names` the pattern's groups."""

    rule: Rule
    raised: Raised
    block: Block
    chain: tuple[Raised, ...] = ()
    names: dict[str, str] = field(default_factory=dict)

    @property
    def is_consequence(self) -> bool:
        return self.rule.role == CONSEQUENCE


def match(rule: Rule, text: str) -> dict[str, str] | None:
    """The named groups of the rule's first pattern that is found in `text`; None where none is."""
    for pattern in rule.patterns:
        if found := _compiled(pattern).search(text):
            return {name: value for name, value in found.groupdict().items() if value}
    return None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def classify(block: Block, chain: Sequence[Raised]) -> Finding | None:
    """The rule for the first exception of the chain that is a cause; else for the last that is a consequence.

    A chain that no rule knows is an exception of the job's own code, or of Java's.
    """
    consequence: Finding | None = None
    for raised in chain:
        found = _first_rule(raised, block, chain)
        if found and not found.is_consequence:
            return found
        consequence = found or consequence
    return consequence or _unknown(block, chain)


def findings(scans: Iterable[Scan], side: Side) -> Iterator[Finding]:
    """Every block of one side's logs that a rule knows, in the order of the logs."""
    for one in scans:
        if one.file.side is not side:
            continue
        for block in one.blocks:
            chain = chain_of(block)
            known = (found for raised in chain if (found := _first_rule(raised, block, chain, side)))
            if found := next(known, None):
                yield found


def _first_rule(raised: Raised, block: Block, chain: Sequence[Raised], side: Side = Side.DRIVER) -> Finding | None:
    text = words_of(block.text) if raised.kind == "words" else str(raised)
    if not text or IS_EMPTY.search(text.partition("\n")[0]) or (raised.kind == "python" and raised.type in _OWN):
        return None
    for rule in RULES:
        if _is_there(rule, raised, block, side) and (names := match(rule, text)) is not None:
            return Finding(rule, raised, block, tuple(chain), names)
    return None


def _is_there(rule: Rule, raised: Raised, block: Block, side: Side) -> bool:
    if rule.where not in ("driver", "executor"):
        return rule.where == "any" or (rule.where == "bootstrap" and side is Side.BOOTSTRAP)
    text = block.first.text if raised.kind == "words" else str(raised)
    on_executor = (
        raised.in_executor
        or block.file.side is Side.EXECUTOR
        or bool(_ON_EXECUTOR.search(text))
        or (raised.kind == "java" and bool(_OF_A_TASK.search(block.text)))
    )
    return on_executor == (rule.where == "executor")


def _unknown(block: Block, chain: Sequence[Raised]) -> Finding | None:
    wrappers = ("Py4JJavaError", "PythonException")
    for raised in chain:
        if raised.kind == "python" and not raised.type.endswith(wrappers):
            fallback = FALLBACKS["executor" if raised.in_executor else "driver"]
            return Finding(fallback, raised, block, tuple(chain))
    known = [raised for raised in chain if str(raised) and not IS_EMPTY.search(str(raised))]
    return Finding(FALLBACKS["java"], known[0], block, tuple(chain)) if known else None
