"""pipeline: the verbs in their order, and the one `try … finally` that ends the cluster whatever happens.

It tells what happens (`tell`) as it happens and shows nothing itself; an id is told the moment AWS has answered,
before any wait. A callback and no generator: a generator that is left alone in the middle terminates nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from scripts.aws import Clients
from scripts.config import Settings
from scripts.create_cluster import create
from scripts.errors import TimedOut, WorkflowError
from scripts.fetch_results import Summary, fetch, summarise_newest, to_fetch
from scripts.lifecycle import duration
from scripts.monitor_cluster import monitor
from scripts.submit_job import submit
from scripts.terminate_cluster import terminate
from scripts.upload_data import has_sample, send_sample
from scripts.upload_scripts import create_bucket, upload
from scripts.verify_setup import FAILED, bucket_region, has_images, verify
from scripts.watch_step import watch

Tell = Callable[[object], None]
Timed = Callable[[str], AbstractContextManager[None]]


@dataclass(frozen=True)
class Stage:
    """A stage begins."""

    name: str

    def __str__(self) -> str:
        return f"▶ {self.name}"


@dataclass(frozen=True)
class Created:
    """A cluster exists, and costs."""

    cluster_id: str

    def __str__(self) -> str:
        return f"📋 Cluster {self.cluster_id} is being created"


@dataclass(frozen=True)
class Submitted:
    """A step was added."""

    step_id: str

    def __str__(self) -> str:
        return f"📋 Step {self.step_id} was submitted"


@dataclass(frozen=True)
class Options:
    """How to run: where results go, the job's own arguments, and what may be left or made."""

    results: Path
    arguments: Sequence[str] = ()
    keep: bool = False
    sample_if_empty: bool = False


@dataclass
class Report:
    """What a run came to: seconds by stage, where the results are, what they say, and what is odd."""

    stages: dict[str, float] = field(default_factory=dict)
    folders: list[Path] = field(default_factory=list)
    summary: Summary | None = None
    warnings: list[str] = field(default_factory=list)


def fill_with_sample(clients: Clients, settings: Settings, tell: Tell) -> None:
    """Create the bucket and upload the synthetic sample, each where it is missing."""
    if bucket_region(clients, settings.s3_bucket) is None:
        tell(f"🪣 {create_bucket(clients, settings)} created")
    if not has_images(clients, settings):
        count = send_sample(clients, settings)
        where = settings.uri(settings.data_prefix)
        tell(
            f"🎨 {where} was empty: filled with a synthetic sample of {count} images (`inv data --from DIR` for yours)"
        )


def run(clients: Clients, settings: Settings, tell: Tell, options: Options) -> Report:
    """verify, upload, create, monitor, submit, watch-step, fetch, terminate. Never asks.

    Raises:
        WorkflowError: the first that fails, as its verb says it; by then the cluster is terminated, unless it is kept.
    """
    report = Report()

    @contextmanager
    def stage(name: str) -> Iterator[None]:
        tell(Stage(name))
        start = time.monotonic()
        try:
            yield
        finally:
            report.stages[name] = time.monotonic() - start

    with stage("verify"):
        if options.sample_if_empty:
            fill_with_sample(clients, settings, tell)
        _require_all(verify(clients, settings), tell)
        if has_sample(clients, settings):
            report.warnings.append("the images are the synthetic sample")
    with stage("upload"):
        for uploaded in upload(clients, settings):
            tell(uploaded)
    with _cluster(clients, settings, tell, stage, options.keep) as cluster_id:
        with stage("monitor"), _deadline_ends_it(options.keep, "CLUSTER_READY_TIMEOUT"):
            for status in monitor(clients, settings, cluster_id):
                tell(status)
        with stage("submit"):
            step_id = submit(clients, settings, cluster_id, options.arguments)
            tell(Submitted(step_id))
        with stage("watch-step"), _deadline_ends_it(options.keep, "STEP_TIMEOUT"):
            for status in watch(clients, settings, cluster_id, step_id):
                tell(status)
        with stage("fetch"):
            found = to_fetch(clients, settings)
            report.folders = [fetch(clients, settings, result, options.results) for result in found]
            report.summary = summarise_newest(found, options.results)
    return report


@contextmanager
def _cluster(clients: Clients, settings: Settings, tell: Tell, stage: Timed, keep: bool) -> Iterator[str]:
    """A cluster for the time of the block; terminated after it, however it ends, unless `keep`."""
    with stage("create"):
        cluster_id = create(clients, settings)
    try:
        tell(Created(cluster_id))
        yield cluster_id
        if keep:
            idle = duration(settings.idle_timeout)
            tell(f"💰 Cluster {cluster_id} is kept, and costs until it has been idle for {idle}: `inv terminate`")
        else:
            with stage("terminate"):
                for status in terminate(clients, settings, cluster_id):
                    tell(status)
    except TimedOut:  # kept and still running, or asked to end and not gone yet: either way it says so itself
        raise
    except BaseException as error:
        if not keep:
            _end(clients, settings, cluster_id, tell, error)
        raise


def _end(clients: Clients, settings: Settings, cluster_id: str, tell: Tell, error: BaseException) -> None:
    """Terminate after a failure: whatever telling of it may raise (stderr may be a closed pipe), it is asked for."""

    def quietly(event: object) -> None:
        with suppress(Exception):
            tell(event)

    quietly(f"⛔ {'Interrupted' if isinstance(error, KeyboardInterrupt) else 'Failed'}: terminating {cluster_id}")
    try:
        for status in terminate(clients, settings, cluster_id):
            quietly(status)
    except WorkflowError as worse:
        quietly(f"❌ {worse}")  # the first error is the one that is raised; this one costs money, so it is told too


@contextmanager
def _deadline_ends_it(keep: bool, setting: str) -> Iterator[None]:
    """Running out of time is a failure here: "it still runs" would be untrue once the cluster is terminated."""
    try:
        yield
    except TimedOut as error:
        if keep:
            raise
        remedy = f"Raise {setting}, or look at `inv logs`."
        raise WorkflowError(error.doing, f"{error.problem}, so the run was given up", remedy) from error


def _require_all(checks: Iterator[object], tell: Tell) -> None:
    failed = []
    for check in checks:
        tell(check)
        if getattr(check, "verdict", "") == FAILED:
            failed.append(str(getattr(check, "name", "")))
    if failed:
        problem = f"{', '.join(failed)} failed; no cluster was created"
        raise WorkflowError("verifying the set-up", problem, "Mend what is marked ❌ above.")
