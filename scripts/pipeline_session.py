"""A pipeline as a person meets it: its record, its tracking files, what it shows, and the run that was cut off before.

Stands beside session.py, between tasks.py and scripts/pipeline.py.
"""

from __future__ import annotations

from dataclasses import replace

from scripts import console, log_session, pipeline, runs, session, tracking
from scripts.aws import Clients
from scripts.config import Settings
from scripts.create_cluster import describe, live_of_run, status_of
from scripts.errors import AwsError, UsageError, WorkflowError
from scripts.lifecycle import ENDED_CLUSTER, LIVE_CLUSTER, Status
from scripts.runs import Run
from scripts.session import ROOT
from scripts.submit_job import step_ids
from scripts.upload_scripts import scripts


def run(
    clients: Clients, settings: Settings, *, arguments: list[str], keep: bool, retries: int, resumed: Run | None = None
) -> None:
    """Run the pipeline, or go on with `resumed`; show and record what happens.

    Raises:
        WorkflowError: as pipeline.run does; why has been shown by then.
    """
    record = resumed or runs.begin(ROOT, settings, scripts(), arguments)
    begun = Begun(record)
    options = pipeline.Options(
        run=record.id,
        owner=record.owner,
        results=session.RESULTS,
        arguments=record.arguments,
        keep=keep,
        sample_if_empty=settings.on_local,
        retries=retries,
        cluster_id=record.cluster_id,
        step_id=record.step_id,
    )
    try:
        with console.waiting("Pipeline"):
            report = pipeline.run(clients, settings, begun.tell, options)
    except BaseException as error:
        begun.failed(error)
        if isinstance(error, WorkflowError):
            begun.explain(settings, clients)
        raise
    begun.ended("kept" if keep else "done")
    session.show_report(report)


def refuse_if_cut_off(clients: Clients, settings: Settings) -> None:
    """A run that was cut off and has a live cluster comes first; one whose cluster is gone is closed.

    Raises:
        UsageError: there is one; with the choices.
    """
    for known in runs.unfinished(ROOT):
        if known.where != (settings.target, settings.aws_region):
            console.note(f"⚠️ Unfinished elsewhere: {known}. TARGET={known.where[0]} inv pipeline --resume")
            continue
        live = live_cluster(clients, known)
        if live:
            remedy = f"`inv pipeline --resume` goes on with it; `inv terminate --cluster-id {live}` ends it."
            raise UsageError("starting a pipeline", f"{known} was cut off and its cluster {live} is live", remedy)
        runs.end(ROOT, known, "cut off; its cluster is gone")


def to_resume() -> Run:
    """The newest run that was cut off.

    Raises:
        UsageError: there is none.
    """
    found = runs.unfinished(ROOT)
    if not found:
        raise UsageError("resuming a pipeline", "no run was cut off in this folder", "`inv pipeline` starts one.")
    return found[-1]


def reattach(clients: Clients, known: Run) -> Run:
    """The cut-off run with what is left of it: its cluster found by tag where its id was never written down.

    A cluster that ended before it was given a step is forgotten: the run makes a new one. Where it had one, that step
    is taken up, its id written down or not: it has run, or was cancelled, and is not run again.
    """
    cluster_id, step_id = known.cluster_id or live_cluster(clients, known) or "", known.step_id
    if cluster_id and not step_id and not _is_live(clients, cluster_id):
        step_id = _first_step(clients, cluster_id)
        cluster_id = cluster_id if step_id else ""
    console.note(f"⏩ Resuming {replace(known, cluster_id=cluster_id)}")
    return runs.note(ROOT, known, cluster_id=cluster_id, step_id=step_id)


def live_cluster(clients: Clients, known: Run) -> str | None:
    """The id of the run's live cluster, by its record or else by its tag; None where there is none."""
    if known.cluster_id and _is_live(clients, known.cluster_id):
        return known.cluster_id
    return next(iter(live_of_run(clients, known.id)), None)


def _is_live(clients: Clients, cluster_id: str) -> bool:
    try:
        return status_of(describe(clients, cluster_id)).state in LIVE_CLUSTER
    except AwsError as error:
        if error.code in session.UNKNOWN_CLUSTER:
            return False
        raise


def _first_step(clients: Clients, cluster_id: str) -> str:
    try:
        return next(reversed(step_ids(clients, cluster_id)), "")
    except AwsError as error:
        if error.code in session.UNKNOWN_CLUSTER:
            return ""
        raise


class Begun:
    """What a pipeline tells as it goes: shown, tracked as for the single commands, and recorded."""

    def __init__(self, record: Run) -> None:
        self.record = record
        self.cluster_ends = not record.cluster_id

    def tell(self, event: object) -> None:
        # First to disk, then to the screen, which may be gone.
        if event == pipeline.Stage("create"):
            self.cluster_ends = False  # there may be a cluster before its id is known
        elif isinstance(event, pipeline.NotCreated):
            self.cluster_ends = True
        elif isinstance(event, pipeline.Created):
            self.cluster_ends = False
            self.record = runs.note(ROOT, self.record, cluster_id=event.cluster_id)
            session.remember_cluster(event.cluster_id)
            if self.record.step_id:
                session.remember(tracking.STEP, self.record.step_id)
        elif isinstance(event, pipeline.Submitted):
            self.record = runs.note(ROOT, self.record, step_id=event.step_id)
            session.remember(tracking.STEP, event.step_id)
        elif isinstance(event, Status) and event.state.startswith("TERMINAT"):
            self.cluster_ends = True
            if event.state in ENDED_CLUSTER:
                runs.mark_ended(ROOT, self.record.cluster_id)
        if isinstance(event, Status):
            console.status(event)
        else:
            console.note(event)

    def ended(self, verdict: str) -> None:
        self.record = runs.end(ROOT, self.record, verdict[:500])

    def failed(self, error: BaseException) -> None:
        """Close the record, unless a cluster of it may go on: then `--resume` and the next pipeline know of it."""
        if self.cluster_ends:
            self.ended(f"{type(error).__name__}: {error}")

    def explain(self, settings: Settings, clients: Clients) -> None:
        """Why it failed, as `inv logs` says it; that there are no logs is no second failure."""
        if not self.record.cluster_id:
            return
        try:
            log_session.explain(settings, clients, self.record.cluster_id, self.record.step_id or None)
        except WorkflowError as error:
            console.note(f"📄 {error}")
