"""What a cluster does: provision, bootstrap, run steps, wait, end. One thread a cluster, one more a running step."""

import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from local_emr import failures, lifecycle, logs
from local_emr.commands import fetch, script_command, step_command
from local_emr.execution import Execution
from local_emr.lifecycle import REASONS
from local_emr.node import Node
from local_emr.operations.clusters import protected
from local_emr.records import TERMINATE_ACTIONS
from local_emr.store import ACTIVE_STEP, ENDING, Cluster, Step, Store

# What EMR's own runner of steps puts in front of a command.
COMMAND_RUNNER = "hadoop jar /var/lib/aws/emr/step-runner/hadoop-jars/command-runner.jar"
STOP_PATIENCE = 1.0  # seconds between SIGTERM and SIGKILL for a cluster that is terminated


@dataclass(frozen=True)
class Pace:
    """How long each early state lasts at least, in seconds: to be seen by one who looks every half second."""

    starting: float = 0.2
    provisioning: float = 0.5
    configuring: float = 0.5
    bootstrapping: float = 0.5
    pending: float = 0.15  # of a step


@dataclass(frozen=True)
class Surroundings:
    """What all agents share."""

    store: Store
    s3: logs.ObjectStore
    find_problem: Callable[[Cluster], str | None]  # what a cluster's validation finds wrong in the account
    endpoint: str  # where the node's AWS clients go
    pace: Pace = Pace()


class Agent:
    """The life of one cluster, from whatever state its record is in."""

    def __init__(self, cluster: Cluster, node: Node, surroundings: Surroundings) -> None:
        self.cluster, self.node, self.around = cluster, node, surroundings
        self.store, self.pace = surroundings.store, surroundings.pace
        self.executions: dict[str, Execution] = {}  # of running steps, by step id
        self.left_behind: list[Execution] = []  # steps and bootstrap actions that left processes in the background

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
            self._pause(self.pace.starting)
            self._move("STARTING", REASONS["PROVISIONING"])
            problem = self.around.find_problem(self.cluster)
            self._pause(self.pace.provisioning)
            if problem:
                with self.store.transaction():
                    lifecycle.end(self.store, self.cluster, "VALIDATION_ERROR", problem)
                return
            self._move("STARTING", REASONS["CONFIGURING"], dns_name="localhost")
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
        folder = f"node/{master}/bootstrap-actions/{number}"
        work = self.node.work / "bootstrap-actions" / str(number)
        execution = Execution(
            self.node.logs / folder,
            work,
            self._environment(),
            lambda target: script_command(fetch(self.around.s3, path, target), arguments),
        )
        code = self._run_watched(execution)
        if code:
            execution.controller.say(f"Execution failed with code '{code}'", "ERROR")
        logs.upload(self.around.s3, self.cluster, self.node.logs, folder)
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
        self._remember_if_alive(execution)
        return finished[0]

    def _remember_if_alive(self, execution: Execution) -> None:
        """A command may leave processes in the background; as on EMR, they live until the cluster ends."""
        alive = [e for e in (*self.left_behind, execution) if not e.is_over(0.3 if e is execution else 0)]
        self.left_behind = alive

    def _environment(self, **more: str) -> dict[str, str]:
        region, cluster_id = self.cluster["_Region"], self.cluster["Id"]
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
                self.executions[step["Id"]].stop(kill=option == "TERMINATE_PROCESS")
        pending = [step for step in active if step["Status"]["State"] == "PENDING"]
        free = self.cluster["StepConcurrencyLevel"] - (len(active) - len(pending))
        for step in pending[: max(0, free)]:
            age = time.time() - float(step["Status"]["Timeline"]["CreationDateTime"])
            if age < self.pace.pending:
                return self.pace.pending - age
            self._start_step(step)
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

    # -- steps --------------------------------------------------------------------------------------------------------

    def _start_step(self, step: Step) -> None:
        wrapped = step["Config"]["Jar"].endswith("command-runner.jar")
        execution = Execution(
            self.node.logs / "steps" / step["Id"],
            self.node.work / "steps" / step["Id"],
            self._environment(EMR_STEP_ID=step["Id"]),
            lambda folder: step_command(self.around.s3, step, folder),
            COMMAND_RUNNER if wrapped else None,
        )
        self.executions[step["Id"]] = execution
        lifecycle.step_starts(self.store, self.cluster, step)
        threading.Thread(target=self._run_step, args=(step, execution), name=step["Id"], daemon=True).start()

    def _run_step(self, step: Step, execution: Execution) -> None:
        try:
            with logs.uploading(lambda: self.upload_step_logs(step)):
                code = execution.run()
            if execution.wrapper:
                execution.complain(f"Command exiting with ret '{code}'")  # the last words of command-runner
            self._remember_if_alive(execution)
            self.upload_step_logs(step)
        except Exception:  # a fault of ours must not leave the step RUNNING for ever
            traceback.print_exc()
            code = 1
        with self.store.transaction():
            del self.executions[step["Id"]]
            if step["Status"]["State"] == "CANCEL_PENDING" or self._ending:
                lifecycle.step_ends(self.store, self.cluster, step, "CANCELLED")
            elif code == 0:
                lifecycle.step_ends(self.store, self.cluster, step, "COMPLETED")
            else:
                self.step_failed(step)

    def step_failed(self, step: Step) -> None:
        """FAILED, and what its ActionOnFailure says of the rest."""
        lifecycle.step_ends(self.store, self.cluster, step, "FAILED", failures.step(self.cluster, step))
        action = step["ActionOnFailure"]
        if action in TERMINATE_ACTIONS and not protected(self.cluster):
            lifecycle.end(self.store, self.cluster, "STEP_FAILURE", "Shut down as step failed")
        elif action == "CANCEL_AND_WAIT":
            lifecycle.cancel_pending_steps(self.store, self.cluster)

    def upload_step_logs(self, step: Step) -> None:
        """The step's logs, and those of the containers of the applications that it submitted."""
        folder = self.node.logs / "steps" / step["Id"]
        for name in ("stdout", "stderr", "syslog"):
            if folder.is_dir():
                (folder / name).touch()
        logs.upload(self.around.s3, self.cluster, self.node.logs, f"steps/{step['Id']}")
        submitted = self.node.work / "steps" / step["Id"] / ".applications"
        for application in submitted.read_text().split() if submitted.exists() else []:
            logs.upload(self.around.s3, self.cluster, self.node.logs, f"containers/{application}")

    # -- the end ------------------------------------------------------------------------------------------------------

    def _shut_down(self) -> None:
        with self.store.transaction():
            lifecycle.cancel_pending_steps(self.store, self.cluster)
        with self.store.changed:
            for execution in list(self.executions.values()):
                execution.stop(patience=STOP_PATIENCE)
            self.store.changed.wait_for(lambda: not self.executions)
        for execution in self.left_behind:
            execution.close()
        self.node.remove()
        with self.store.transaction():
            lifecycle.ended(self.store, self.cluster)
