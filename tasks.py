"""The workflow's commands, in the order in which they are run. `inv --list` shows them, `inv --help submit` one.

Thin: a task reads the settings, connects, calls one verb of scripts/, and hands what it gets to tracking and console.
What a task needs is imported inside it, so that `inv --list` does not wait for boto3.
"""

import functools
import os
import signal
import sys
import uuid
from dataclasses import replace
from pathlib import Path

from invoke import Collection, Exit, task

from local_emr import control
from scripts import config, console, tracking
from scripts.errors import AwsError, UsageError, WorkflowError, doing

ROOT = Path(__file__).resolve().parent
LOCAL_HOME = ROOT / ".local_emr"


def command(body):
    """A task whose errors end in one line on stderr and an exit code, never in a traceback."""

    @functools.wraps(body)
    def guarded(c, *args, **kwargs):
        try:
            body(c, *args, **kwargs)
        except WorkflowError as error:
            console.fail(error)
            raise Exit(code=error.exit_code) from None
        except KeyboardInterrupt:
            from scripts import session

            console.note(f"⛔ Interrupted. {session.still_running()}")
            raise Exit(code=130) from None
        except BrokenPipeError:  # `inv verify | head -1`: nobody reads on, so nothing is left to say
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise Exit(code=1) from None

    return task(guarded)


def ready(settings=None, *, name_account=True):
    """(settings, clients) of the target, with local EMR started where it is the target; says what it talks to.

    `settings` are those of a run that is resumed; else they are read.
    `name_account` False makes no call yet: verify reports wrong credentials as one finding among others.
    """
    from scripts import aws

    settings = settings or config.load(ROOT, os.environ)
    if settings.on_local:
        settings = replace(settings, endpoint_url=local_server().url)
        console.note(f"🔌 local EMR at {settings.endpoint_url} (TARGET=local: no account, no cost)")
    clients = aws.connect(settings)
    if not settings.on_local:
        account = ""
        if name_account:
            with doing("signing in to AWS"):
                account = f" account {clients.sts.get_caller_identity()['Account']}"
        console.note(f"🔌 AWS{account}, {settings.aws_region}")
    return settings, clients


def local_server():
    try:
        return control.up(LOCAL_HOME)
    except (control.LocalEmrError, OSError) as error:
        raise WorkflowError("starting local EMR", str(error), "`inv local.down`, then try again.") from error


@command
def verify(c):
    """Check region, credentials, bucket, images, key pair and roles

    inv verify
    TARGET=aws inv verify
    """
    from scripts.verify_setup import FAILED
    from scripts.verify_setup import verify as checks

    settings, clients = ready(name_account=False)
    failed = []
    for check in checks(clients, settings):
        console.say(check)
        failed += [check.name] if check.verdict == FAILED else []
    if failed:
        raise WorkflowError("verifying the set-up", f"{', '.join(failed)} failed", "Mend what is marked ❌ above.")


@command
def upload(c, yes=False):
    """Upload the job and the bootstrap script, where they changed

    inv upload
    inv upload --yes        creates a missing bucket without asking
    """
    from scripts import session
    from scripts.upload_scripts import upload as uploads

    settings, clients = ready()
    session.ensure_bucket(settings, clients, yes=yes or settings.on_local)
    for uploaded in uploads(clients, settings):
        console.say(uploaded)


@command
def data(c, from_=None, sample=False, yes=False):
    """Upload images: a Training/Test folder, or a synthetic sample

    inv data --from ~/fruits-360      goes on where it stopped
    inv data --sample                 24 labels, drawn
    """
    from scripts import session, upload_data

    if bool(from_) == bool(sample):
        raise UsageError("uploading images", "give either --from DIR or --sample", "`inv --help data` shows both.")
    source = upload_data.find(Path(from_).expanduser()) if from_ else None
    settings, clients = ready()
    session.ensure_bucket(settings, clients, yes=yes or settings.on_local)
    where = settings.uri(settings.data_prefix)
    if source is None:
        with console.progress_bar("Uploading the sample", upload_data.SAMPLE_SIZE) as advance:
            count = upload_data.send_sample(clients, settings, advance)
        console.say(f"🎨 {count} synthetic images are in {where}")
        return
    if removed := upload_data.remove_sample(clients, settings):
        console.note(f"🎨 The synthetic sample ({removed} images) made way for yours")
    if source.others:
        console.note(
            f"⚠️ {source.others} files are left out: no images under Training|Test/<label>/, or hidden (. or _)"
        )
    missing = upload_data.missing(clients, settings, source.images)
    with console.progress_bar("Uploading images", sum(image.size for image in missing)) as advance:
        upload_data.send(clients, settings, missing, advance)
    there = len(source.images) - len(missing)
    console.say(f"📤 {len(missing)} images uploaded to {where}, {there} were there already")


@command
def create(c, yes=False):
    """Create the cluster, after showing it and asking

    inv create
    inv create --yes
    CORE_INSTANCE_COUNT=4 inv create
    """
    from scripts import create_cluster, runs, session

    with runs.alone(ROOT):  # else a pipeline, or another create, could take its place in the tracking file
        settings, clients = ready()
        session.refuse_if_live(clients)
        for label, value in create_cluster.describe_configuration(settings).items():
            console.note(f"   {label:15} {value}")
        if not console.ask("Create this cluster?", yes=yes):
            raise UsageError("creating the cluster", "the answer was no", "Nothing was created.")
        session.ensure_bucket(settings, clients, yes=yes)
        session.send_scripts(settings, clients)  # without them the bootstrap action fails, minutes from now
        cluster_id = create_cluster.create(clients, settings, uuid.uuid4().hex, runs.owner())
        session.remember_cluster(cluster_id)
        console.say(f"📋 {cluster_id}")


@command
def monitor(c, cluster_id=None):
    """Watch the cluster until it is ready for steps

    inv monitor
    """
    from scripts import monitor_cluster, session

    settings, clients = ready()
    cluster_id = session.tracked_cluster(cluster_id)
    session.show_statuses(monitor_cluster.monitor(clients, settings, cluster_id), f"Cluster {cluster_id}")
    if dns := monitor_cluster.master_dns(clients, cluster_id):
        session.remember(tracking.MASTER_DNS, dns)


@command
def submit(c, args=None, cluster_id=None):
    """Run the job as it is now, as a step of the cluster

    inv submit                        uploads the script first, if it changed
    inv submit --args "--some option" what follows the job's input and output
    """
    from scripts import session, submit_job

    settings, clients = ready()
    cluster_id = session.tracked_cluster(cluster_id)
    arguments = submit_job.job_arguments(settings, args)
    session.send_scripts(settings, clients)
    step_id = submit_job.submit(clients, settings, cluster_id, arguments)
    session.remember(tracking.STEP, step_id)
    console.say(f"📋 {step_id}")


@command
def watch_step(c, step_id=None, cluster_id=None, logs=False):
    """Watch the step until it ends; its failure is this command's

    inv watch-step
    inv watch-step --logs   with the driver's output, as it comes
    """
    from scripts import follow_logs, log_session, session
    from scripts.watch_step import watch

    settings, clients = ready()
    cluster_id = session.tracked_cluster(cluster_id)
    step_id = session.tracked_step(step_id)
    if logs:
        outputs = follow_logs.output(clients, settings, cluster_id, step_id, log_session.LOGS)
        log_session.show_output(outputs, f"Step {step_id}")
    else:
        session.show_statuses(watch(clients, settings, cluster_id, step_id), f"Step {step_id}")


@command
def fetch(c, all=False):
    """Fetch the newest results to results/ and say what is in them

    inv fetch
    inv fetch --all         every finished run's
    """
    from scripts import fetch_results, session

    settings, clients = ready()
    results = fetch_results.to_fetch(clients, settings, everything=all)
    missing = [result for result in results if not fetch_results.is_here(result, session.RESULTS)]
    with console.progress_bar("Fetching results", sum(result.size for result in missing)) as advance:
        for result in missing:
            fetch_results.fetch(clients, settings, result, session.RESULTS, advance)
    for result in results:
        console.say(f"📥 results/{result.name}/" + ("" if result in missing else " (already here)"))
    session.show_summary(fetch_results.summarise_newest(results, session.RESULTS))


@command
def logs(c, step_id=None, cluster_id=None, follow=False, json=False, all=False, from_=None):
    """Why the step failed: its cause, your line of code, what to do

    inv logs                the last step's, or the bootstrap action's where there was none
    inv logs --follow       the driver's output, as it comes
    inv logs --json         for programs
    inv logs --all          every executor's log too, however large
    inv logs --from DIR     a folder of logs that is here already, from any cluster
    """
    from scripts import follow_logs, log_session, session

    if from_:
        log_session.explain_folder(Path(from_).expanduser().resolve(), as_json=json)
        return
    settings, clients = ready()
    cluster_id = session.tracked_cluster(cluster_id)
    step_id = tracking.check(tracking.STEP, step_id, "--step-id") if step_id else tracking.read(ROOT, tracking.STEP)
    if follow:
        outputs = follow_logs.output(clients, settings, cluster_id, session.tracked_step(step_id), log_session.LOGS)
        log_session.show_output(outputs, f"Step {step_id}")
        return
    log_session.explain(settings, clients, cluster_id, step_id, everything=all, as_json=json)


@command
def terminate(c, cluster_id=None, yes=False, all_ours=False):
    """Terminate the cluster and wait until it is gone

    inv terminate
    inv terminate --yes
    inv terminate --all-ours    every live cluster that this project began, whoever did
    """
    from scripts import session

    settings, clients = ready()
    if all_ours:
        session.end_all(settings, clients, yes=yes)
        return
    cluster_id = session.tracked_cluster(cluster_id)
    if not session.end_cluster(settings, clients, cluster_id, yes=yes):
        raise UsageError(f"terminating {cluster_id}", "the answer was no", "It goes on, and costs.")


@command
def cleanup(c, yes=False):
    """Clean up: cluster, output, EMR logs, tracking files, each asked

    inv cleanup
    inv cleanup --yes       yes to all four; input data is never touched
    """
    from scripts import session

    settings, clients = ready()
    session.cleanup_cluster(settings, clients, yes=yes)
    kept = session.cleanup_objects(settings, clients, "Output", settings.output_prefix, yes=yes)
    kept += session.cleanup_objects(settings, clients, "EMR logs", settings.logs_prefix, yes=yes)
    session.cleanup_tracking(clients, yes=yes)
    if kept:
        raise AwsError("cleaning up", f"{kept} objects could not be deleted (named above)", "Run it again.")


@command
def pipeline(c, keep=False, args=None, resume=False, retries="1"):
    """Run everything: verify to fetch, then terminate, whatever happens

    inv pipeline
    inv pipeline --keep      leaves the cluster for `inv submit`
    inv pipeline --resume    goes on with a run that was cut off
    inv pipeline --retries 0 no second cluster where the first did not come up
    TARGET=aws inv pipeline
    """
    from scripts import pipeline_session, runs, session
    from scripts.submit_job import job_arguments

    if resume and args is not None:
        raise UsageError("resuming a pipeline", "--args is for a new run; this one has its arguments", "Leave it out.")
    if not (retries.isascii() and retries.isdigit()):
        raise UsageError(
            "starting a pipeline", f"--retries {retries!r} is no whole number", "0 is none, 1 the default."
        )
    for number in (signal.SIGTERM, signal.SIGHUP):  # as Ctrl-C: the cluster is terminated on the way out
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, signal.default_int_handler)
    with runs.alone(ROOT):
        cut_off = pipeline_session.to_resume() if resume else None
        settings, clients = ready(runs.settings_of(cut_off) if cut_off else None)
        arguments = job_arguments(settings, args)
        if cut_off:
            cut_off = pipeline_session.reattach(clients, cut_off)
        else:
            pipeline_session.refuse_if_cut_off(clients, settings)
            session.refuse_if_live(clients)
        pipeline_session.run(clients, settings, arguments=arguments, keep=keep, retries=int(retries), resumed=cut_off)


@command
def status(c):
    """Show every live cluster of ours: state, age, idle time, whose

    inv status
    """
    from scripts import session

    _, clients = ready()
    session.show_clusters(clients)


@command
def up(c):
    """Start local EMR (tasks do it by themselves)"""
    server = local_server()
    console.note(f"🔌 local EMR {'started' if server.started else 'is up'} at {server.url} (pid {server.pid})")
    console.note("For other AWS clients (version 1 of the AWS CLI also needs --endpoint-url for `aws emr`):")
    console.say(f"export AWS_ENDPOINT_URL={server.url}")
    console.say("export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local AWS_DEFAULT_REGION=eu-west-1")


@command
def down(c):
    """Stop local EMR; its state stays in .local_emr/"""
    live = (control.status(LOCAL_HOME) or {}).get("clusters", [])
    if not control.down(LOCAL_HOME):
        console.say("🔌 local EMR is not running: nothing to do")
        return
    console.say("🔌 local EMR stopped")
    for cluster in live:
        console.say(f"   {cluster['id']} was {cluster['state']}: it goes on when local EMR is started again")


@command
def local_status(c):
    """Show local EMR: where it answers, what lives there"""
    found = control.status(LOCAL_HOME)
    if not found:
        console.say("🔌 local EMR is not running (tasks start it by themselves)")
        return
    console.say(f"🔌 local EMR at {found['url']} (pid {found['pid']})")
    for cluster in found["clusters"]:
        console.say(f"   {cluster['id']} {cluster['state']} {cluster['name']}")
    console.say(f"   buckets: {', '.join(found['buckets']) or 'none'}")


VERBS = (verify, upload, data, create, monitor, submit, watch_step, fetch, logs, terminate, cleanup, pipeline, status)
local = Collection("local", up, down)
local.add_task(local_status, name="status")
namespace = Collection(*VERBS, local)
