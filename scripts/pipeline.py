"""pipeline: the verbs in their order, and the one `try … finally` that ends the cluster whatever happens.

It tells what happens (`tell`) as it happens and shows nothing itself; an id is told the moment AWS has answered,
before any wait. A callback and no generator: a generator that is left alone in the middle terminates nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from scripts.aws import Clients
from scripts.config import Settings
from scripts.create_cluster import create, live_of_run
from scripts.errors import AwsError, TimedOut, Trouble, WorkflowError
from scripts.fetch_results import Summary, fetch, summarise_newest, written_between
from scripts.lifecycle import duration
from scripts.monitor_cluster import ClusterNotReady, monitor
from scripts.submit_job import step_ids, submit
from scripts.terminate_cluster import ask_to_end, terminate
from scripts.upload_data import has_sample, send_sample
from scripts.upload_scripts import create_bucket, upload
from scripts.verify_setup import FAILED, bucket_region, has_images, verify
from scripts.watch_step import span, watch

Tell = Callable[[object], None]


@dataclass(frozen=True)
class Stage:
    """A stage begins."""

    name: str

    def __str__(self) -> str:
        return f"▶ {self.name}"


@dataclass(frozen=True)
class NotCreated:
    """AWS refused the cluster: none was made."""

    def __str__(self) -> str:
        return "• No cluster was created"


@dataclass(frozen=True)
class Created:
    """A cluster exists, and costs."""

    cluster_id: str

    def __str__(self) -> str:
        return f"📋 Cluster {self.cluster_id} is being created"


@dataclass(frozen=True)
class Adopted(Created):
    """A cluster that was created before is taken up again."""

    def __str__(self) -> str:
        return f"📋 Cluster {self.cluster_id} is taken up again"


@dataclass(frozen=True)
class Submitted:
    """A step was added."""

    step_id: str

    def __str__(self) -> str:
        return f"📋 Step {self.step_id} was submitted"


@dataclass(frozen=True)
class Options:
    """How to run: whose run it is, where results go, the job's own arguments, what may be left, made or tried again.

    `cluster_id` and `step_id` are those of a run that is resumed.
    """

    run: str
    owner: str
    results: Path
    arguments: Sequence[str] = ()
    keep: bool = False
    sample_if_empty: bool = False
    retries: int = 1
    cluster_id: str = ""
    step_id: str = ""


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

    A cluster that did not come up for want of luck is replaced by a new one, `options.retries` times; a step that
    failed is not run again.

    Raises:
        WorkflowError: the first that fails, as its verb says it; by then the cluster is terminated, unless it is kept.
    """
    return _Run(clients, settings, tell, options).run()


class _Run:
    def __init__(self, clients: Clients, settings: Settings, tell: Tell, options: Options) -> None:
        self.clients, self.settings, self.tell, self.options = clients, settings, tell, options
        self.report = Report()

    def run(self) -> Report:
        cluster_id, retries = self.options.cluster_id, self.options.retries
        if not self.options.step_id:
            self.prepare()
        while True:
            try:
                with self.cluster(cluster_id) as cluster_id:
                    self.work(cluster_id)
                return self.report
            except ClusterNotReady as error:
                if not (error.may_pass and retries):
                    raise
                retries -= 1
                self.tell(f"🔁 {error.problem}: once more, with a new cluster")
                cluster_id = ""

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        self.tell(Stage(name))
        start = time.monotonic()
        try:
            yield
        finally:
            spent = time.monotonic() - start
            self.report.stages[name] = self.report.stages.get(name, 0.0) + spent

    def prepare(self) -> None:
        with self.stage("verify"):
            if self.options.sample_if_empty:
                fill_with_sample(self.clients, self.settings, self.tell)
            _require_all(verify(self.clients, self.settings), self.tell)
            if has_sample(self.clients, self.settings):
                self.report.warnings.append("the images are the synthetic sample")
        with self.stage("upload"):
            for uploaded in upload(self.clients, self.settings):
                self.tell(uploaded)

    def work(self, cluster_id: str) -> None:
        clients, settings, keep = self.clients, self.settings, self.options.keep
        step_id = self.options.step_id
        if not step_id:
            with self.stage("monitor"), _deadline_ends_it(keep, "CLUSTER_READY_TIMEOUT"):
                for status in monitor(clients, settings, cluster_id):
                    self.tell(status)
            with self.stage("submit"):
                step_id = self.submit(cluster_id)
        with self.stage("watch-step"), _deadline_ends_it(keep, "STEP_TIMEOUT"):
            for status in watch(clients, settings, cluster_id, step_id):
                self.tell(status)
        with self.stage("fetch"):
            found = written_between(clients, settings, *span(clients, cluster_id, step_id))
            self.report.folders = [fetch(clients, settings, result, self.options.results) for result in found]
            self.report.summary = summarise_newest(found, self.options.results)

    def submit(self, cluster_id: str) -> str:
        """Submit the step; on a cluster that is taken up again, the one that was submitted before, if there is one."""
        before = step_ids(self.clients, cluster_id) if self.options.cluster_id == cluster_id else []
        if before:
            self.tell(f"📋 Step {before[-1]} was submitted already")
            step_id = before[-1]  # the first ever: the cluster is this run's own
        else:
            step_id = submit(self.clients, self.settings, cluster_id, self.options.arguments)
        self.tell(Submitted(step_id))
        return step_id

    @contextmanager
    def cluster(self, cluster_id: str) -> Iterator[str]:
        """A cluster for the time of the block, `cluster_id` or a new one; terminated after it, however it ends."""
        keep = self.options.keep
        event: type[Created] = Adopted
        if not cluster_id:
            event = Created
            with self.stage("create"):
                cluster_id = self.create()
        try:
            self.tell(event(cluster_id))
            yield cluster_id
            if keep:
                idle = duration(self.settings.idle_timeout)
                self.tell(
                    f"💰 Cluster {cluster_id} is kept, and costs until it has been idle for {idle}: `inv terminate`"
                )
            else:
                with self.stage("terminate"):
                    for status in terminate(self.clients, self.settings, cluster_id):
                        self.tell(status)
        except TimedOut:  # kept and still running, or asked to end and not gone yet: either way it says so itself
            raise
        except BaseException as error:
            if not keep:
                self.end(cluster_id, error)
            raise

    def create(self) -> str:
        # A pipeline's cluster has a shorter fuse than one that somebody works on: a dead laptop costs minutes.
        idle = self.settings.idle_timeout if self.options.keep else self.settings.pipeline_idle_timeout
        try:
            return create(self.clients, replace(self.settings, idle_timeout=idle), self.options.run, self.options.owner)
        except BaseException as error:
            if isinstance(error, AwsError) and error.trouble is Trouble.REFUSED:
                self.tell(NotCreated())
                raise
            # The answer was not waited for, or never came: there may be a cluster that nobody knows.
            with suppress(WorkflowError):
                for cluster_id in live_of_run(self.clients, self.options.run):
                    with suppress(Exception):
                        self.tell(Created(cluster_id))
                    self.end(cluster_id, error)
            raise

    def end(self, cluster_id: str, error: BaseException) -> None:
        """Terminate after a failure, whatever telling of it may raise (stderr may be a closed pipe)."""

        def quietly(event: object) -> None:
            with suppress(Exception):
                self.tell(event)

        try:
            with suppress(AwsError):  # before anything is told: a second Ctrl-C may come at any moment
                ask_to_end(self.clients, [cluster_id])
            quietly(
                f"⛔ {'Interrupted' if isinstance(error, KeyboardInterrupt) else 'Failed'}: terminating {cluster_id}"
            )
            for status in terminate(self.clients, self.settings, cluster_id):
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
