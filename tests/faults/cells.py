"""The matrix: what goes wrong, at which stage, and how a pipeline must end. Data only; run.py carries it out."""

from __future__ import annotations

from dataclasses import dataclass, field

STAGES = ("verify", "upload", "create", "monitor", "submit", "watch-step", "fetch", "terminate")

# The request that a stage makes first, as local EMR's faults name it; of the GETs before fetch, verify makes three.
REQUEST: dict[str, dict[str, object]] = {
    "verify": {"service": "s3", "operation": "HEAD"},
    "upload": {"service": "s3", "operation": "PUT"},
    "create": {"service": "emr", "operation": "RunJobFlow"},
    "monitor": {"service": "emr", "operation": "DescribeCluster"},
    "submit": {"service": "emr", "operation": "AddJobFlowSteps"},
    "watch-step": {"service": "emr", "operation": "DescribeStep"},
    "fetch": {"service": "s3", "operation": "GET", "skip": 4},
    "terminate": {"service": "emr", "operation": "TerminateJobFlows"},
}


@dataclass(frozen=True)
class Cell:
    """One fault at one stage.

    `code` is the exit code of the (last) command, `said` what stderr must have, `steps` how many steps were submitted
    in all, `clusters` how many were created, `results` whether they are there. After it no cluster is live, unless
    `left` says that one is, named on screen.
    """

    stage: str
    fault: str
    code: int = 0
    said: str = ""
    steps: tuple[int, ...] = (1,)
    clusters: tuple[int, ...] = (1,)
    results: bool = True
    left: bool = False
    rules: tuple[dict[str, object], ...] = ()
    signal: str = ""
    act: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    file_limit: int = 0

    @property
    def name(self) -> str:
        return f"{self.stage} × {self.fault}"


def before(stage: str, other: str) -> bool:
    return STAGES.index(stage) < STAGES.index(other)


def _signals() -> list[Cell]:
    cells = []
    for stage in STAGES:
        steps = (0,) if before(stage, "submit") else (0, 1) if stage == "submit" else (1,)
        clusters = (0,) if before(stage, "create") else (0, 1) if stage == "create" else (1,)
        done = stage == "terminate"
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            cells.append(Cell(stage, name, 130, "Interrupted", steps, clusters, results=done, signal=name))
        cells.append(Cell(stage, "kill -9, then --resume", 0, "", (1,), (1,), signal="SIGKILL", act="resume"))
    return cells


def _requests() -> list[Cell]:
    cells = []
    for stage in STAGES:
        for fault, kind in (
            ("throttling", "throttle"),
            ("5xx", "error"),
            ("connection reset", "reset"),
            ("answer lost", "lost"),
        ):
            cells.append(Cell(stage, fault, rules=({**REQUEST[stage], "kind": kind, "times": 2},)))
        cells.append(_expired(stage))
        cells.append(_denied(stage))
    return cells


def _expired(stage: str) -> Cell:
    """EMR's calls wait for renewed credentials; S3's end the run, which is to be started again."""
    rules = ({**REQUEST[stage], "kind": "expired", "times": 2},)
    said = "xpired"
    if stage in ("verify", "upload"):
        said = "expired credentials are the usual one"  # HEAD has no body to say it
        return Cell(
            stage,
            "expired credentials",
            1,
            said if stage == "verify" else "xpired",
            (0,),
            (0,),
            results=False,
            rules=rules,
        )
    if stage == "fetch":
        return Cell(stage, "expired credentials", 1, said, results=False, rules=rules)
    return Cell(stage, "expired credentials", 0, said if stage in ("monitor", "watch-step") else "", rules=rules)


def _denied(stage: str) -> Cell:
    rules = ({**REQUEST[stage], "kind": "denied", "times": 1},)
    steps = (1,) if stage in ("watch-step", "fetch", "terminate") else (0,)
    clusters = (0,) if stage in ("verify", "upload", "create") else (1,)
    said = "credentials may not use it" if stage == "verify" else "AccessDenied"
    return Cell(stage, "access denied", 1, said, steps, clusters, results=stage == "terminate", rules=rules)


def _ended_by_others() -> list[Cell]:
    stages = {
        "monitor": Cell("monitor", "cluster ended by others", 1, "Terminated by user request", (0,), results=False),
        "submit": Cell("submit", "cluster ended by others", 1, "", (0, 1), results=False),
        "watch-step": Cell("watch-step", "cluster ended by others", 1, "CANCELLED", results=False),
        "fetch": Cell("fetch", "cluster ended by others", 0),
        "terminate": Cell("terminate", "cluster ended by others", 0),
    }
    return [Cell(**{**vars(cell), "act": "end cluster"}) for cell in stages.values()]


def _of_their_own() -> list[Cell]:
    return [
        Cell("create", "the answer is lost, and the tag finds it", rules=({**REQUEST["create"], "kind": "lost"},)),
        Cell(
            "monitor",
            "bootstrap failure, twice",
            1,
            "bootstrap action 1",
            (0,),
            (2,),
            results=False,
            act="bad bootstrap",
        ),
        Cell("monitor", "bootstrap failure, once", 0, "once more", (1,), (2,), act="bad bootstrap once"),
        Cell("watch-step", "step failed", 1, "FAILED", results=False, settings={"JOB_ARGS": "--fail"}),
        Cell("watch-step", "step cancelled", 1, "CANCELLED", results=False, act="cancel step"),
        Cell(
            "watch-step",
            "step interrupted",
            1,
            "INTERRUPTED",
            results=False,
            rules=({"step": "*", "kind": "step-interrupted", "seconds": 0.2},),
        ),
        Cell("watch-step", "no end in time", 1, "given up", results=False, settings={"STEP_TIMEOUT": "1"}),
        Cell("monitor", "no end in time", 1, "given up", (0,), results=False, settings={"CLUSTER_READY_TIMEOUT": "1"}),
        Cell("create", "disk full", 1, "too large", (0,), (0,), results=False, file_limit=512),
        Cell("fetch", "disk full", 1, "too large", results=False, file_limit=16_384),
        Cell("fetch", "results/ is a file", 1, "Fetching", results=False, act="results is a file"),
        Cell("terminate", "Ctrl-C twice", 130, "may still be running", act="interrupt twice", left=True),
        Cell(
            "watch-step",
            "credentials expired for good",
            1,
            "aws emr terminate-clusters --cluster-ids j-",
            results=False,
            left=True,
            act="expire for good",
            settings={"STEP_TIMEOUT": "3", "CLUSTER_READY_TIMEOUT": "5"},
        ),
    ]


CELLS = (*_signals(), *_requests(), *_ended_by_others(), *_of_their_own())
