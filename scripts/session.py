"""What several tasks share: tracked ids, questions, and how a verb's values are shown to a person.

Stands between tasks.py and the verbs; the verbs know nothing of it. Must not know invoke, nor local EMR's insides.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from scripts import cleanup, console, runs, tracking, upload_scripts
from scripts.aws import Clients
from scripts.config import Settings
from scripts.errors import AwsError, UsageError, WorkflowError
from scripts.fetch_results import Summary
from scripts.lifecycle import Status, duration
from scripts.our_clusters import OurCluster, our_clusters
from scripts.pipeline import Report
from scripts.terminate_cluster import ask_to_end, is_gone, terminate
from scripts.verify_setup import bucket_region

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "results"

# How EMR answers for an id that it does not know: DescribeCluster the one, the JobFlow calls the other.
UNKNOWN_CLUSTER = ("InvalidRequestException", "ValidationException")


def tracked_cluster(given: str | None) -> str:
    """The cluster named on the command line, or else the tracked one.

    Raises:
        UsageError: there is neither.
    """
    return _tracked(
        tracking.CLUSTER, given, "--cluster-id", "`inv create` makes a cluster; --cluster-id names another."
    )


def tracked_step(given: str | None) -> str:
    """The step named on the command line, or else the tracked one.

    Raises:
        UsageError: there is neither.
    """
    return _tracked(tracking.STEP, given, "--step-id", "`inv submit` makes a step; --step-id names another.")


def _tracked(name: str, given: str | None, option: str, hint: str) -> str:
    found = tracking.check(name, given, option) if given else tracking.read(ROOT, name)
    if not found:
        raise UsageError(f"reading {name}", "there is none", hint)
    return found


def remember_cluster(cluster_id: str) -> None:
    """Track a cluster; the last one's step and address are not this one's."""
    tracking.write(ROOT, tracking.CLUSTER, cluster_id)
    tracking.clear(ROOT, tracking.STEP, tracking.MASTER_DNS)
    console.note(f"💾 {tracking.CLUSTER}")


def remember(name: str, value: str) -> None:
    tracking.write(ROOT, name, value)
    console.note(f"💾 {name}")


def refuse_if_live(clients: Clients) -> None:
    """A live tracked cluster is never overwritten: nobody would remember it, and it would go on costing.

    Raises:
        UsageError: there is one.
        AwsError: the tracked id is unknown here; it may be live elsewhere.
    """
    cluster_id = tracking.read(ROOT, tracking.CLUSTER)
    if cluster_id and not runs.is_ended(ROOT, cluster_id) and not is_gone(clients, cluster_id):
        problem = f"{tracking.CLUSTER} names {cluster_id}, which is live"
        raise UsageError("creating a cluster", problem, "`inv submit` uses it, `inv terminate` ends it.")


def still_running() -> str:
    """What goes on, and may cost, after an interruption: as far as the tracking file knows."""
    try:
        cluster_id = tracking.read(ROOT, tracking.CLUSTER)
    except WorkflowError as error:
        return str(error)
    if not cluster_id:
        return "No cluster is tracked."
    if runs.is_ended(ROOT, cluster_id):
        return f"Cluster {cluster_id} is terminated: nothing runs."
    named = f"{tracking.CLUSTER} names {cluster_id}"
    return f"{named}, which may still be running: `inv status` looks, `inv terminate` ends it."


def ensure_bucket(settings: Settings, clients: Clients, *, yes: bool) -> None:
    """Offer to create the bucket where it is missing.

    Raises:
        UsageError: the answer was no, or nobody can answer.
    """
    name = settings.s3_bucket
    if bucket_region(clients, name) is not None:
        return
    if not console.ask(f"s3://{name} does not exist. Create it in {settings.aws_region}?", yes=yes):
        raise UsageError("uploading", f"s3://{name} does not exist", "Set S3_BUCKET to one that does.")
    console.note(f"🪣 {upload_scripts.create_bucket(clients, settings)} created")


def send_scripts(settings: Settings, clients: Clients) -> None:
    """Upload what changed, so that what runs is what is in the editor."""
    for uploaded in upload_scripts.upload(clients, settings):
        console.note(uploaded)


def show_statuses(statuses: Iterator[Status], what: str) -> None:
    with console.waiting(what):
        for status in statuses:
            console.status(status)


def end_cluster(settings: Settings, clients: Clients, cluster_id: str, *, yes: bool) -> bool:
    """Ask, terminate, wait; whether the cluster is gone.

    Raises:
        AwsError, TimedOut: as terminate does.
    """
    if runs.is_ended(ROOT, cluster_id) or is_gone(clients, cluster_id):
        runs.mark_ended(ROOT, cluster_id)
        console.say(f"✅ Cluster {cluster_id} is terminated already: nothing to do")
        return True
    if not console.ask(f"Terminate cluster {cluster_id}?", yes=yes):
        console.say(f"• Cluster {cluster_id} goes on, and costs")
        return False
    show_statuses(terminate(clients, settings, cluster_id), f"Cluster {cluster_id}")
    runs.mark_ended(ROOT, cluster_id)
    for run in runs.unfinished(ROOT):
        if run.cluster_id == cluster_id:
            runs.end(ROOT, run, "its cluster was terminated")  # on purpose: --resume would make a new one
    console.say(f"✅ Cluster {cluster_id} is gone")
    return True


def end_all(settings: Settings, clients: Clients, *, yes: bool) -> None:
    """Show every live cluster of ours, ask once, terminate them all, wait.

    Raises:
        UsageError: the answer was no, or nobody can answer.
    """
    ids = [one.cluster_id for one in show_clusters(clients)]
    if not ids:
        return
    if not console.ask(f"Terminate all {len(ids)}?", yes=yes):
        raise UsageError("terminating all of ours", "the answer was no", "They go on, and cost.")
    ask_to_end(clients, ids)  # all at once, then wait for each
    for cluster_id in ids:
        show_statuses(terminate(clients, settings, cluster_id), f"Cluster {cluster_id}")
        console.say(f"✅ Cluster {cluster_id} is gone")


def state_here(clients: Clients, cluster_id: str) -> str:
    """`live`, `ended`, or `unknown`: not of this account, region and target, and so perhaps live in another."""
    if runs.is_ended(ROOT, cluster_id):
        return "ended"
    try:
        return "ended" if is_gone(clients, cluster_id) else "live"
    except AwsError as error:
        if error.code in UNKNOWN_CLUSTER:
            return "unknown"
        raise


def cleanup_cluster(settings: Settings, clients: Clients, *, yes: bool) -> None:
    """The first question of cleanup: the tracked cluster."""
    cluster_id = tracking.read(ROOT, tracking.CLUSTER)
    if not cluster_id:
        console.say("• Cluster: none is tracked")
    elif state_here(clients, cluster_id) == "unknown":
        console.say(f"• Cluster: {cluster_id} is unknown here (another account, region or TARGET?)")
    else:
        end_cluster(settings, clients, cluster_id, yes=yes)


def cleanup_objects(settings: Settings, clients: Clients, what: str, prefix: str, *, yes: bool) -> int:
    """The second and third question: what runs left under a prefix. How many objects resisted."""
    where = settings.uri(prefix)
    count = cleanup.count(clients, settings, prefix)
    if not count:
        console.say(f"• {what}: nothing under {where}")
        return 0
    if not console.ask(f"Delete {count:,} objects ({what}) under {where}?", yes=yes):
        console.say(f"• {what}: {count:,} objects kept")
        return 0
    deleted = cleanup.delete(clients, settings, prefix)
    console.say(f"🗑️ {what}: {deleted.count:,} objects deleted")
    for key, why in deleted.kept.items():
        console.note(f"⚠️ {key}: {why}")
    return len(deleted.kept)


def cleanup_tracking(clients: Clients, *, yes: bool) -> None:
    """The fourth question: the tracking files, unless they may be all that remembers a live cluster."""
    there = [name for name in tracking.ALL if (ROOT / name).is_file()]
    if not there:
        console.say("• Tracking files: none")
        return
    cluster_id = tracking.read(ROOT, tracking.CLUSTER)
    state = state_here(clients, cluster_id) if cluster_id else "ended"
    if state == "live":
        console.say(f"• Tracking files: kept, for cluster {cluster_id} is live")
    elif state == "unknown" and yes:  # a blanket yes is no answer to this one
        console.say(f"• Tracking files: kept, for {cluster_id} may be live elsewhere; `rm cluster_id.txt` forgets it")
    else:
        doubt = f" ({cluster_id} is unknown here, and may be live elsewhere)" if state == "unknown" else ""
        if console.ask(f"Remove {', '.join(there)}?{doubt}", yes=yes):
            tracking.clear(ROOT, *there)
            console.say(f"🗑️ {', '.join(there)} removed")


def show_summary(summary: Summary) -> None:
    """Images, splits and labels in a line, the largest and smallest classes in a table, and what is odd."""
    splits = ", ".join(f"{split} {count:,}" for split, count in sorted(summary.splits.items()))
    console.say(f"\n{summary.images:,} images ({splits}), {len(summary.labels)} labels")
    rows = [
        (label, count, f"   {small}", few)
        for (label, count), (small, few) in zip(summary.largest(), summary.smallest(), strict=True)
    ]
    console.table("", ("Largest classes", "images", "   Smallest classes", "images"), rows)
    for warning in summary.warnings:
        console.say(f"⚠️ {warning}")


def show_clusters(clients: Clients) -> list[OurCluster]:
    """Every cluster of ours that has not ended, as a table."""
    found = list(our_clusters(clients))
    if not found:
        console.say("✅ No cluster of ours is live in this account and region")
        return []
    here = {run.id: run for run in runs.all_runs(ROOT)}
    rows = []
    for one in found:
        run = here.get(one.run)
        whose = "this folder's pipeline" + ("" if run.ended else ", unfinished") if run else one.owner or "?"
        idle = "-" if one.idle is None else duration(round(one.idle))
        hours = f"{one.instance_hours:.1f}"
        rows.append((one.cluster_id, str(one.status), duration(round(one.age)), idle, hours, whose))
    console.table("", ("Cluster", "State", "Age", "Idle for", "Instance-hours", "Whose"), rows)
    return found


def show_report(report: Report) -> None:
    """How a pipeline ended: what was found, how long each stage took, what is odd, where the results are."""
    if report.summary:
        show_summary(report.summary)
    console.table("", ("Stage", "time"), [(name, duration(seconds)) for name, seconds in report.stages.items()])
    for warning in report.warnings:
        console.say(f"⚠️ {warning}")
    for folder in report.folders:
        console.say(f"📥 {folder.relative_to(ROOT)}/")
