"""What a cluster does: provision, bootstrap, run steps, wait, end. One thread a cluster, one more a running step."""

import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, fields

from local_emr import cluster_faults, failures, lifecycle, logs, spark_executors
from local_emr.cluster_faults import ClusterFaults
from local_emr.commands import fetch, script_command
from local_emr.execution import Execution
from local_emr.lifecycle import REASONS
from local_emr.log_archive import LogArchive
from local_emr.node import Node
from local_emr.operations.clusters import protected
from local_emr.settings import Settings
from local_emr.step_runner import StepRunner
from local_emr.store import ACTIVE_STEP, ENDING, Cluster, Step, Store
from local_emr.validation import Problem

STOP_PATIENCE = 1.0  # seconds between SIGTERM and SIGKILL for a cluster that is terminated


@dataclass(frozen=True)
class Pace:
    """How long each early state lasts at least, in seconds: to be seen by one who looks every half second."""

    starting: float = 0.2
    provisioning: float = 0.5
    configuring: float = 0.5
    bootstrapping: float = 0.5
    pending: float = 0.15  # of a step

    def times(self, factor: float) -> "Pace":
        """The same, slower or quicker."""
        return Pace(**{field.name: getattr(self, field.name) * factor for field in fields(self)})


@dataclass(frozen=True)
class Surroundings:
    """What all agents share."""

    store: Store
    s3: logs.ObjectStore
    find_problem: Callable[[Cluster], Problem | None]  # what a cluster's validation finds wrong in the account
    endpoint: str  # where the node's AWS clients go
    faults: ClusterFaults
    pace: Pace
    settings: Settings


class Agent:
    """The life of one cluster, from whatever state its record is in."""

    def __init__(self, cluster: Cluster, node: Node, surroundings: Surroundings) -> None:
        self.cluster, self.node, self.around = cluster, node, surroundings
        self.store, self.pace = surroundings.store, surroundings.pace
        self.archive = LogArchive(surroundings.s3, cluster, node, surroundings.settings, surroundings.faults)
        self.steps = StepRunner(
            self.store, surroundings.s3, cluster, node, self.archive, surroundings.faults, self._environment
        )

    def start(self) -> None:
        threading.Thread(target=self._live, name=self.cluster["Id"], daemon=True).start()

    def _live(self) -> None:
        try:
            if self._state in ("STARTING", "BOOTSTRAPPING"):
                self._start_up()
            self._work()
        except Exception as error:  # a fault of ours: the API says so, as EMR does for its own
            traceback.print_exc()
            with self.store.transaction():
                lifecycle.end(self.store, self.cluster, "INTERNAL_ERROR", f"An internal error occurred. ({error!r})")
        self._shut_down()

    @property
    def _state(self) -> str:
        return str(self.cluster["Status"]["State"])

    @property
    def _ending(self) -> bool:
        return self._state in ENDING

    # -- start-up -----------------------------------------------------------------------------------------------------

    def _start_up(self) -> None:
        if self._state == "STARTING":
            self._provision()
        if self._ending:
            return
        seen_until = time.monotonic() + self.pace.configuring
        self.node.make()
        self._pause(seen_until - time.monotonic())
        self._move("BOOTSTRAPPING", REASONS["BOOTSTRAPPING"], instances="BOOTSTRAPPING")
        seen_until = time.monotonic() + self.pace.bootstrapping
        for number, action in enumerate(self.cluster["_Bootstrap"], 1):
            if not self._ending:
                self._bootstrap(number, action)
        self._pause(seen_until - time.monotonic())
        with self.store.transaction():
            if not self._ending:
                lifecycle.move_instances(self.store, self.cluster, "RUNNING")

    def _provision(self) -> None:
        configuring = self.cluster["Status"]["StateChangeReason"].get("Message") == REASONS["CONFIGURING"]
        if not configuring:  # else an earlier server came so far
            self._pause(self.pace.starting)
            self._move("STARTING", REASONS["PROVISIONING"])
        problem = self.around.find_problem(self.cluster)
        if fault := self.around.faults.find(self.cluster, "no-capacity"):
            self._pause(fault.seconds)
            message, details = cluster_faults.no_capacity(self.cluster)
            with self.store.transaction():
                lifecycle.end(self.store, self.cluster, "INTERNAL_ERROR", message, [details])
            return
        self._pause(self.pace.provisioning)
        if problem:
            with self.store.transaction():
                lifecycle.end(self.store, self.cluster, "VALIDATION_ERROR", problem.message, problem.details)
            return
        self._move("STARTING", REASONS["CONFIGURING"], dns_name="localhost")

    def _move(self, state: str, message: str, instances: str | None = None, dns_name: str | None = None) -> None:
        with self.store.transaction():
            if self._ending:
                return
            if instances:
                lifecycle.move_instances(self.store, self.cluster, instances)
            if dns_name:
                self.cluster["MasterPublicDnsName"] = dns_name
            lifecycle.move(self.store, self.cluster, state, message)

    def _pause(self, seconds: float) -> None:
        """Let a state be seen; over at once when the cluster is to end."""
        with self.store.changed:
            self.store.changed.wait_for(lambda: self._ending, max(0.0, seconds))

    def _bootstrap(self, number: int, action: dict[str, object]) -> None:
        path, arguments = str(action["ScriptPath"]), [str(a) for a in action["Args"]]  # type: ignore[attr-defined]
        master = lifecycle.master_instance(self.cluster)
        folder = self.archive.bootstrap_folder(number)
        work = self.node.work / "bootstrap-actions" / str(number)
        execution = Execution(
            self.node.logs / folder,
            work,
            self._environment(),
            lambda target: script_command(fetch(self.around.s3, path, target), arguments),
        )
        code = self._run_watched(execution)
        if self.around.faults.find(self.cluster, "bootstrap-failure"):
            code = code or 1
        if code:
            execution.controller.say(f"Execution failed with code '{code}'", "ERROR")
        self.archive.bootstrap_ended(number)
        if code:
            message, details = failures.bootstrap(number, path, code, master)
            with self.store.transaction():
                lifecycle.end(self.store, self.cluster, "BOOTSTRAP_FAILURE", message, [details])

    def _run_watched(self, execution: Execution) -> int:
        """Run it, and stop it when the cluster is to end."""
        finished: list[int] = []

        def run() -> None:
            code = execution.run()
            with self.store.changed:
                finished.append(code)
                self.store.changed.notify_all()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        with self.store.changed:
            self.store.changed.wait_for(lambda: finished or self._ending)
        if not finished:
            execution.stop(patience=STOP_PATIENCE)
        thread.join()
        self.steps.remember_if_alive(execution)
        return finished[0]

    def _environment(self, **more: str) -> dict[str, str]:
        region, cluster_id = self.cluster["_Region"], self.cluster["Id"]
        if self.around.settings.executors:
            more[spark_executors.VARIABLE] = str(self.around.settings.executors)
        return self.node.environment(self.around.endpoint, region, EMR_CLUSTER_ID=cluster_id, **more)

    # -- work ---------------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        idle_since: float | None = None
        with self.store.changed:
            while not self._ending:
                with self.store.transaction():
                    wait = self._start_and_stop_steps()
                    if self._active_steps():
                        idle_since = None
                        lifecycle.move(self.store, self.cluster, "RUNNING", REASONS["RUNNING"])
                    else:
                        idle_since = idle_since or time.monotonic()
                        wait = self._rest(idle_since)
                if not self._ending:
                    self.store.changed.wait(wait)

    def _active_steps(self) -> list[Step]:
        return [step for step in self.cluster["_Steps"] if step["Status"]["State"] in ACTIVE_STEP]

    def _start_and_stop_steps(self) -> float | None:
        """Start what may start, stop what is cancelled. Seconds until more is to do; None: when something changes."""
        active = self._active_steps()
        for step in active:
            if step["Status"]["State"] == "CANCEL_PENDING" and (option := step.pop("_Stop", None)):
                self.steps.executions[step["Id"]].stop(kill=option == "TERMINATE_PROCESS")
        pending = [step for step in active if step["Status"]["State"] == "PENDING"]
        free = self.cluster["StepConcurrencyLevel"] - (len(active) - len(pending))
        for step in pending[: max(0, free)]:
            age = time.time() - float(step["Status"]["Timeline"]["CreationDateTime"])
            if age < self.pace.pending:
                return self.pace.pending - age
            self.steps.start(step)
        return None

    def _rest(self, idle_since: float) -> float | None:
        """What a cluster without steps does: end, if it is transient or long idle, else wait. Seconds till it ends."""
        last = next((s["Status"]["State"] for s in reversed(self.cluster["_Steps"])), None)
        if self.cluster["AutoTerminate"]:
            failed = any(s["Status"]["State"] == "FAILED" for s in self.cluster["_Steps"])
            # The code beside "with errors" was seen once, in an EventBridge rule; the state is TERMINATED all the same.
            code, message = ("STEP_FAILURE", " with errors") if failed else ("ALL_STEPS_COMPLETED", "")
            lifecycle.end(self.store, self.cluster, code, f"Steps completed{message}")
            return None
        lifecycle.move(self.store, self.cluster, "WAITING", REASONS[f"STEP_{last}" if last else "READY"])
        policy = self.cluster["_AutoTermination"]
        if policy is None or protected(self.cluster):
            return None
        left = idle_since + float(policy.get("IdleTimeout", 3600)) - time.monotonic()
        if left <= 0:
            # AWS does not document this reason.
            message = "Terminated by the auto-termination policy"
            lifecycle.end(self.store, self.cluster, "ALL_STEPS_COMPLETED", message)
        return left

    # -- for recovery -------------------------------------------------------------------------------------------------

    def step_failed(self, step: Step) -> None:
        """A step of an earlier server is lost: cancelled, where its cluster was being terminated."""
        if self._ending:
            lifecycle.step_ends(self.store, self.cluster, step, "CANCELLED")
        else:
            self.steps.failed(step)

    def upload_step_logs(self, step: Step) -> None:
        """What an earlier server left of a step's logs."""
        self.archive.step_ended(step)

    # -- the end ------------------------------------------------------------------------------------------------------

    def _shut_down(self) -> None:
        with self.store.transaction():
            lifecycle.cancel_pending_steps(self.store, self.cluster)
        self.steps.stop_all(STOP_PATIENCE)
        self.archive.close()
        self.node.remove()
        with self.store.transaction():
            lifecycle.ended(self.store, self.cluster)
