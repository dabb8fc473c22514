"""The running steps of one cluster: started, stopped, struck by faults on demand, and what their ends mean."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable

from local_emr import cluster_faults, failures, lifecycle
from local_emr.cluster_faults import ClusterFaults, Fault
from local_emr.commands import step_command
from local_emr.execution import Execution
from local_emr.fault_rules import STEP_KINDS
from local_emr.log_archive import LogArchive
from local_emr.logs import ObjectStore
from local_emr.node import Node
from local_emr.operations.clusters import protected
from local_emr.records import TERMINATE_ACTIONS
from local_emr.spark_executors import VARIABLE
from local_emr.store import ENDING, Cluster, Step, Store

# What EMR's own runner of steps puts in front of a command.
COMMAND_RUNNER = "hadoop jar /var/lib/aws/emr/step-runner/hadoop-jars/command-runner.jar"
EXECUTOR_PATIENCE = 60.0  # seconds that a fault waits for an executor to be there
REPLACEMENT_SECONDS = 1.0  # until a lost core node is replaced


class StepRunner:
    """One thread a running step."""

    def __init__(
        self,
        store: Store,
        s3: ObjectStore,
        cluster: Cluster,
        node: Node,
        archive: LogArchive,
        faults: ClusterFaults,
        environment: Callable[..., dict[str, str]],
    ) -> None:
        self.store, self.s3, self.cluster, self.node = store, s3, cluster, node
        self.archive, self.faults, self.environment = archive, faults, environment
        self.executions: dict[str, Execution] = {}  # of running steps, by step id
        self.left_behind: list[Execution] = []  # steps and bootstrap actions that left processes in the background

    def start(self, step: Step) -> None:
        """Run a step; the caller holds the store's transaction."""
        wrapped = step["Config"]["Jar"].endswith("command-runner.jar")
        execution = Execution(
            self.node.logs / "steps" / step["Id"],
            self.node.work / "steps" / step["Id"],
            self.environment(EMR_STEP_ID=step["Id"]),
            lambda folder: step_command(self.s3, step, folder, self.node.bin),
            COMMAND_RUNNER if wrapped else None,
        )
        self.executions[step["Id"]] = execution
        lifecycle.step_starts(self.store, self.cluster, step)
        threading.Thread(target=self._run, args=(step, execution), name=step["Id"], daemon=True).start()
        if fault := self.faults.find(self.cluster, *STEP_KINDS, step=step):
            threading.Thread(target=self._strike, args=(step, execution, fault), daemon=True).start()

    def stop_all(self, patience: float) -> None:
        """End every running step, and what steps left in the background."""
        with self.store.changed:
            for execution in list(self.executions.values()):
                execution.stop(patience=patience)
            self.store.changed.wait_for(lambda: not self.executions)
        for execution in self.left_behind:
            execution.close()
        self.left_behind = []

    def remember_if_alive(self, execution: Execution) -> bool:
        """A command may leave processes in the background; as on EMR, they live until the cluster ends."""
        alive = [e for e in (*self.left_behind, execution) if not e.is_over(0.3 if e is execution else 0)]
        self.left_behind = alive
        return execution in alive

    def failed(self, step: Step) -> None:
        """FAILED, and what its ActionOnFailure says of the rest."""
        lifecycle.step_ends(self.store, self.cluster, step, "FAILED", failures.step(self.cluster, step))
        action = step["ActionOnFailure"]
        if action in TERMINATE_ACTIONS and not protected(self.cluster):
            lifecycle.end(self.store, self.cluster, "STEP_FAILURE", "Shut down as step failed")
        elif action == "CANCEL_AND_WAIT":
            lifecycle.cancel_pending_steps(self.store, self.cluster)

    def _run(self, step: Step, execution: Execution) -> None:
        self.archive.step_starts(step)
        try:
            code = execution.run()
            if execution.wrapper:
                execution.complain(f"Command exiting with ret '{code}'")  # the last words of command-runner
            left_something = self.remember_if_alive(execution)
            self.archive.step_ended(step, left_something)
        except Exception:  # a fault of ours must not leave the step RUNNING for ever
            traceback.print_exc()
            code = 1
        with self.store.transaction():
            del self.executions[step["Id"]]
            if step.pop("_Interrupted", False):
                lifecycle.step_ends(self.store, self.cluster, step, "INTERRUPTED")
            elif step["Status"]["State"] == "CANCEL_PENDING" or self.cluster["Status"]["State"] in ENDING:
                lifecycle.step_ends(self.store, self.cluster, step, "CANCELLED")
            elif code == 0:
                lifecycle.step_ends(self.store, self.cluster, step, "COMPLETED")
            else:
                self.failed(step)

    def _strike(self, step: Step, execution: Execution, fault: Fault) -> None:
        """A fault on demand: wait for its time, and do it if the step still runs."""
        with self.store.changed:
            if self.store.changed.wait_for(lambda: step["Id"] not in self.executions, fault.seconds):
                return
        if fault.kind == "step-killed":
            execution.stop(kill=True)
        elif fault.kind == "step-interrupted":
            with self.store.changed:
                step["_Interrupted"] = True
            execution.stop(kill=True)
        elif fault.kind == "cluster-lost":
            with self.store.transaction():
                lifecycle.end(self.store, self.cluster, "INSTANCE_FAILURE", "The master node was terminated")
        else:
            self._lose_core_node(step, execution)

    def _lose_core_node(self, step: Step, execution: Execution) -> None:
        deadline = time.monotonic() + EXECUTOR_PATIENCE
        if self._has_executors(step, execution):
            while not cluster_faults.kill_an_executor(execution.work) and time.monotonic() < deadline:
                with self.store.changed:
                    if self.store.changed.wait_for(lambda: step["Id"] not in self.executions, 0.1):
                        break
        with self.store.transaction():
            replacement = cluster_faults.lose_core_node(self.store, self.cluster)
        if replacement:
            with self.store.changed:
                self.store.changed.wait_for(lambda: self.cluster["Status"]["State"] in ENDING, REPLACEMENT_SECONDS)
            with self.store.transaction():
                cluster_faults.replacement_runs(self.store, self.cluster, replacement)

    def _has_executors(self, step: Step, execution: Execution) -> bool:
        """Whether a step's executors are, or will be, processes."""
        words = " ".join(step["Config"]["Args"])
        return "spark-" in words and (f"{VARIABLE}=" in words or VARIABLE in execution.environment)
