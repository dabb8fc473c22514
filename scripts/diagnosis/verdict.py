"""From what the logs hold to the one cause: the exception that ended the run, or what brought it about.

The order of trust: EMR's own reason for a cluster that never came up; the exception after which the driver said no more
(a consequence gives way to its cause, wherever that is logged); what spark-submit, YARN or the controller report; the
job's last words. What was survived (retried tasks, caught exceptions) is no cause, however bad it looks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from scripts.diagnosis.catalogue import CLUSTER_RULES, RULES
from scripts.diagnosis.catalogue.cluster import BOOTSTRAP_FAILED
from scripts.diagnosis.catalogue.code import FALLBACKS
from scripts.diagnosis.chain import chain_of
from scripts.diagnosis.match import IS_EMPTY, Finding, classify, findings, match
from scripts.diagnosis.model import Block, Diagnosis, Evidence, Facts, LogFile, Raised, Rule, Scan, Side
from scripts.diagnosis.present import diagnosis, evidence, fill, likely
from scripts.diagnosis.scan import LOGGED, says_nothing, scan

_SURVIVED_AFTER = 12
"""More lines that say something than this after an exception: the process went on, and so it was survived."""
_WAITED = 3
"""Reports of an application that YARN has accepted and not started, before waiting is the cause."""
_RETRIED = re.compile(
    r"(?:ERROR|WARN)\s+(?:\S*\.)?(?:Executor|TaskSetManager|Utils|Inbox|TransportRequestHandler|AsyncEventQueue|YarnScheduler"
    r"|YarnClusterScheduler|TaskSchedulerImpl|FileFormatWriter|ShuffleBlockFetcherIterator|OneForOneBlockFetcher"
    r"|RetryingBlock\w+|TransportClient\w*|ShutdownHookManager|DiskBlockManager|SparkUncaughtExceptionHandler)\b"
)
_SAYS_SO = re.compile(
    r"iagnostics|Exception in thread|\bERROR\b|^[Ee]rror|rror:|failed \d+ times|command not found|FATAL|Traceback"
)
_SENTENCE = re.compile(r"[\w./-]{1,60}: \S")


def diagnose(files: Iterable[LogFile], facts: Facts | None = None) -> Diagnosis:
    """Why the run failed, as far as its logs and EMR's facts say."""
    facts = facts or Facts()
    scans = [scan(file) for file in files]
    known = facts.step_state == "FAILED" or _went_wrong(scans)
    if facts.step_state == "COMPLETED" or (not facts.step_state and _went_well(scans, facts)):
        return Diagnosis(failed=False)
    if facts.step_state != "FAILED" and (found := _of_cluster(facts, scans)):
        return found
    run = [one for one in scans if one.file.side is not Side.BOOTSTRAP]
    if not any(one.size for one in run):
        return _of_bootstrap(scans) or Diagnosis(evidence=likely(scans))
    if facts.step_state in ("CANCELLED", "INTERRUPTED"):
        return _waiting(run) or _cancelled(facts)
    found = _of_run(run, known=known)
    return found or Diagnosis(evidence=likely(run), failed=known or bool(facts.step_state))


def _went_well(scans: Sequence[Scan], facts: Facts) -> bool:
    ended = facts.cluster_state == "TERMINATED_WITH_ERRORS" or facts.cluster_code == "BOOTSTRAP_FAILURE"
    return not ended and any(one.succeeded for one in scans) and not _went_wrong(scans)


def _went_wrong(scans: Sequence[Scan]) -> bool:
    """Whether a log says so; that of a driver which YARN started again does not count."""
    return any(one.failed for one in scans if one.file.side not in (Side.ATTEMPT, Side.EXECUTOR, Side.OTHER))


# -- the cluster, and its bootstrap actions ----------------------------------------------------------------------------


def _of_cluster(facts: Facts, scans: Sequence[Scan]) -> Diagnosis | None:
    """The cause where the cluster itself failed."""
    if facts.cluster_code in ("", "USER_REQUEST", "ALL_STEPS_COMPLETED", "STEP_FAILURE"):
        return None
    said = [text for text in (f"{facts.cluster_code}: {facts.cluster_reason}", *facts.errors) if text]
    for rule in CLUSTER_RULES:
        names = next((names for text in said if (names := match(rule, text)) is not None), None)
        if names is None:
            continue
        if rule.category == BOOTSTRAP_FAILED.category and (found := _of_bootstrap(scans)):
            return found
        shown = tuple(Evidence("EMR's reason", 0, text) for text in said)
        return Diagnosis(rule.category, fill(rule.means, names), rule.do, True, facts.cluster_reason, evidence=shown)
    return None


def _of_bootstrap(scans: Sequence[Scan]) -> Diagnosis | None:
    """The bootstrap action's own error: one that a rule knows, else the last that it said."""
    ours = [one for one in scans if one.file.side is Side.BOOTSTRAP]
    ours.sort(key=lambda one: (not one.failed, one.file.stream != "stderr", one.file.stream == "controller"))
    known = [found for found in findings(ours, Side.BOOTSTRAP) if not found.is_consequence]
    own = [found for found in known if found.rule.where == "bootstrap"]
    if found := next(iter([*own, *known[-1:]]), None):
        rule = found.rule
        if rule.where != "bootstrap":
            means = f"The bootstrap action failed. {fill(rule.means, found.names)}"
            rule = Rule(BOOTSTRAP_FAILED.category, (), means, f"{rule.do} Then: {BOOTSTRAP_FAILED.do}")
        return _with_command(diagnosis(Finding(rule, found.raised, found.block, names=found.names), certain=True), ours)
    spoken = [one for one in ours if one.tail and one.file.stream != "controller"] or [one for one in ours if one.tail]
    if not spoken:
        return None
    words = [line for line in spoken[0].tail if not line.text.startswith("+ ")] or list(spoken[0].tail)
    raised = Raised("words", "", words[-1].text, words[-1])
    found = Finding(BOOTSTRAP_FAILED, raised, Block(spoken[0].file, (words[-1],)))
    return _with_command(diagnosis(found, certain=True), ours)


def _with_command(found: Diagnosis, scans: Sequence[Scan]) -> Diagnosis:
    """The same with the script's last command, where it was run with `set -x`."""
    for one in scans:
        if commands := [line for line in one.tail if line.text.startswith("+ ")]:
            shown = (*found.evidence, evidence(one.file, commands[-1]))
            return Diagnosis(**{**vars(found), "evidence": shown})
    return found


# -- the run -----------------------------------------------------------------------------------------------------------


def _of_run(scans: Sequence[Scan], *, known: bool) -> Diagnosis | None:
    found = _fatal(scans) or _reported(scans)
    if found and found.is_consequence and (cause := _behind(scans, found)):
        return diagnosis(cause, certain=known, ended_by=found)
    if found:
        return diagnosis(found, certain=known and found.rule is not FALLBACKS["java"])
    if waited := _waiting(scans):
        return waited
    return (_last_words(scans) or _agreed(scans)) if known else None


def _fatal(scans: Sequence[Scan]) -> Finding | None:
    """The exception that ended the driver, or the step's own process: the last one, with nothing much after it.

    Python's is better than Java's: where both are told, it is the one that names the job's own line.
    """
    for side in (Side.DRIVER, Side.STEP):
        found: list[tuple[bool, int, Finding]] = []
        for one in scans:
            if one.file.side is side and one.file.stream != "syslog":
                found += [
                    (ended.chain[-1].kind != "python", ended.block.after, ended)
                    for block in one.blocks
                    if (ended := _ended_by(block))
                ]
        if found:
            return min(reversed(found), key=lambda one: one[:2])[2]
    return None


def _ended_by(block: Block) -> Finding | None:
    """The block's exception, if it may have ended its process."""
    if block.after > _SURVIVED_AFTER or is_survived(block):
        return None
    chain = [raised for raised in chain_of(block) if raised.kind != "words"]
    if not chain or all(IS_EMPTY.search(str(raised)) for raised in chain):
        return None
    return classify(block, chain)


def is_survived(block: Block) -> bool:
    """Spark's own warnings, and its errors of single tasks: what they cost a run is told again, when it ends it."""
    logged = LOGGED.match(block.first.text)
    if not logged:
        return False
    return logged["level"] not in ("ERROR", "FATAL") or bool(_RETRIED.search(block.first.text))


def _behind(scans: Sequence[Scan], found: Finding) -> Finding | None:
    """The first cause that explains a consequence: said by the driver first, then by the executors themselves."""
    for side in Side:
        for one in findings(scans, side):
            # INFO: an executor that dynamic allocation let go is no loss.
            if one.rule.category in found.rule.explained_by and not says_nothing(one.block.first.text):
                return one
    return None


def _reported(scans: Sequence[Scan]) -> Finding | None:
    """What others say of how it ended: spark-submit, YARN's diagnostics, the shell, the controller."""
    for side in (Side.STEP, Side.DRIVER, Side.CONTROLLER):
        found = [one for one in findings(scans, side) if _counts(one, side)]
        if found:
            return next((one for one in found if not one.is_consequence), found[0])
    return None


def _counts(found: Finding, side: Side) -> bool:
    """Whether a line by itself says that the run ended so."""
    if side is Side.CONTROLLER:
        return True
    if is_survived(found.block) and "iagnostics" not in found.block.first.text:
        return False
    says_so = bool(_SAYS_SO.search(found.block.text))
    return (says_so or found.rule.alone) and (found.block.after <= _SURVIVED_AFTER or "iagnostics" in found.block.text)


def _waiting(scans: Sequence[Scan]) -> Diagnosis | None:
    """YARN accepted the application and never started it, or gave it no executors: the log ends with it."""
    rule = next(rule for rule in RULES if rule.where == "waiting")
    for one in scans:
        if one.file.side in (Side.STEP, Side.DRIVER) and one.tail and match(rule, one.tail[-1].text) is not None:
            times = max(one.accepted, sum(match(rule, line.text) is not None for line in one.tail))
            if times >= _WAITED:
                return Diagnosis(rule.category, rule.means, rule.do, True, evidence=(evidence(one.file, one.tail[-1]),))
    return None


def _cancelled(facts: Facts) -> Diagnosis:
    rule = next(rule for rule in RULES if rule.category == "step-cancelled")
    reason = facts.step_reason or facts.cluster_reason
    shown = (Evidence("EMR's reason", 0, reason),) if reason else ()
    return Diagnosis(rule.category, rule.means, rule.do, True, evidence=shown)


def _last_words(scans: Sequence[Scan]) -> Diagnosis | None:
    """A job that ended itself: its last words, where a rule knows them, or they complain."""
    for side in (Side.DRIVER, Side.STEP):
        for one in scans:
            if one.file.side is not side or one.file.stream not in ("stdout", "stderr"):
                continue
            words = [line for line in one.tail if not IS_EMPTY.search(line.text) and not LOGGED.match(line.text)]
            for line in reversed(words[-3:]):
                raised, block = Raised("words", "", line.text, line), Block(one.file, (line,))
                for rule in RULES:
                    names = match(rule, line.text) if rule.where in ("any", "driver") and rule.alone else None
                    if names is not None:
                        found = Finding(rule, raised, block, names=names)
                        return diagnosis(found, certain=bool(_SENTENCE.match(line.text)))
            if words and _SENTENCE.match(words[-1].text) and not words[-1].text.startswith((" ", "\t")):
                raised = Raised("words", "", words[-1].text, words[-1])
                return diagnosis(Finding(FALLBACKS["exit"], raised, Block(one.file, (words[-1],))), certain=False)
    return None


def _agreed(scans: Sequence[Scan]) -> Diagnosis | None:
    """The one cause that the logs speak of, where all that they speak of agrees; said with doubt."""
    found = [
        one
        for side in (Side.DRIVER, Side.STEP, Side.EXECUTOR)
        for one in findings(scans, side)
        if not one.is_consequence and (side is Side.EXECUTOR or not is_survived(one.block))
    ]
    if len({one.rule.category for one in found}) == 1:
        return diagnosis(found[-1], certain=False)
    return None
