"""Executors that are processes of their own, as on core nodes: Spark's `local-cluster` in place of `local`.

In `local[n]` a job's tasks run inside its driver's process and folder. Code that leans on that (a global that only the
driver has set, a file in the driver's folder, a module that no --py-files brought) works there and fails on EMR. With
LOCAL_EMR_EXECUTORS=n each application has n executors; each has a container like YARN's: a folder, an environment and
logs of its own. The application's Spark home is a folder of links, because a standalone worker keeps its executors'
folders below it; and its executors' `java` is a script of ours, which makes the container.

    WORK/.APPLICATION/spark/     SPARK_HOME: links to pyspark's parts, and work/<app>/<n>/: an executor's folder
    WORK/.APPLICATION/java/      JAVA_HOME of the executors
    WORK/.executors/<container>  the process id of an executor
"""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path

from local_emr.spark_settings import TOO_MUCH, fitted_heap, mebibytes
from local_emr.spark_settings import cores as machine_cores

VARIABLE = "LOCAL_EMR_EXECUTORS"
SCALA = "2.12"  # Spark's launcher asks which of its own builds this is
DEFAULT_MEMORY = 1024  # MiB: Spark's own
SMALLEST_MEMORY = 512  # MiB: Spark refuses less than 450
WORKER_MEMORY = 1 << 20  # MiB that a worker believes to have: what a script asks for is fitted when it starts
TASK_ATTEMPTS = 4  # Spark's own on a cluster; `local[n]` alone would try a task once
PIDS = ".executors"

# `$@` is the command line that Spark's worker made: options, the main class, --executor-id and so on.
JAVA = """#!/bin/sh
# local EMR: starts an executor in a container, as YARN would on a core node.
before=
for word do
  shift
  [ "$before" = --executor-id ] && id=$word
  case $word in
    -Xmx*M) size=${{word#-Xmx}}; [ "${{size%M}}" -gt {heap} ] && word=-Xmx{heap}M ;;
  esac
  before=$word
  set -- "$@" "$word"
done
container={container}_$(printf %06d $((id + 2)))
logs={logs}/$container
mkdir -p "$logs" {pids}
echo $$ >{pids}/$container
{unset}
JAVA_HOME={java_home} exec {java_home}/bin/java {options} "$@" >>"$logs/stdout" 2>>"$logs/stderr"
"""


@dataclass(frozen=True)
class Plan:
    """How many executors (0: inside the driver), the cores and MiB of heap of each, MiB of the driver's heap."""

    count: int
    cores: int
    heap: int
    driver_heap: int
    remarks: tuple[str, ...] = ()
    task_attempts: int = TASK_ATTEMPTS

    @property
    def master(self) -> str:
        if self.count:
            return f"local-cluster[{self.count},{self.cores},{WORKER_MEMORY}]"
        return f"local[{self.cores},{self.task_attempts}]"

    def properties(self) -> dict[str, str]:
        """What YARN's settings become: the same for every executor, all of them at once."""
        if not self.count:
            return {}
        return {
            "spark.executor.memory": f"{self.heap}m",
            "spark.executor.cores": str(self.cores),
            "spark.dynamicAllocation.enabled": "false",
            "spark.shuffle.service.enabled": "false",
        }


def wanted() -> int:
    """How many executors an application has; 0 means that they are inside the driver."""
    return int(os.environ.get(VARIABLE) or 0)


def plan(properties: dict[str, str], nodes: int, limit: int) -> Plan:
    """Executors on `nodes` core nodes, their memory and the driver's within `limit` MiB, their cores the machine's."""
    if not nodes:
        heap, said = fitted_heap(properties, limit)
        attempts = _number(properties.get("spark.task.maxFailures")) or TASK_ATTEMPTS
        return Plan(0, machine_cores(), 0, heap, tuple(said), attempts)
    asked_count = _number(properties.get("spark.executor.instances"))
    count = max(1, min(nodes, asked_count or nodes))
    task_cores = _number(properties.get("spark.task.cpus")) or 1
    fair_cores = max(task_cores, -(-machine_cores() // count))
    cores = min(_number(properties.get("spark.executor.cores")) or fair_cores, fair_cores)
    asked = mebibytes(properties.get("spark.executor.memory")) or DEFAULT_MEMORY
    asked_driver = mebibytes(properties.get("spark.driver.memory")) or DEFAULT_MEMORY
    share = limit // (count + 1)
    driver = min(asked_driver, max(share, limit - count * min(asked, share)))
    heap = max(SMALLEST_MEMORY, min(asked, (limit - driver) // count))
    sizes = (("spark.executor.memory", asked, heap), ("spark.driver.memory", asked_driver, driver))
    remarks = [TOO_MUCH.format(name, properties.get(name, f"{size}m"), got) for name, size, got in sizes if size > got]
    return Plan(count, max(cores, task_cores), heap, driver, tuple(remarks))


def _number(text: str | None) -> int:
    return int(text) if text and text.isdigit() else 0


def make_spark_home(folder: Path, package: Path) -> Path:
    """A Spark home of an application's own: pyspark's parts by links, so that only `work` is new."""
    home = folder / "spark"
    home.mkdir(parents=True)
    for part in ("bin", "data", "examples", "jars", "python"):
        if (package / part).exists():
            (home / part).symlink_to(package / part)
    return home


def make_java_home(
    folder: Path, java_home: str, container: str, logs: Path, pids: Path, heap: int, options: list[str], drop: list[str]
) -> Path:
    """The executors' JAVA_HOME. `container` is a container's id without its number; `drop` are the driver's variables.

    They would reach an executor here, by inheritance, and not on EMR, where it starts on another machine.
    """
    home = folder / "java"
    (home / "bin").mkdir(parents=True)
    script = JAVA.format(
        heap=heap,
        container=shlex.quote(container),
        logs=shlex.quote(str(logs)),
        pids=shlex.quote(str(pids)),
        unset=f"unset {' '.join(drop)}" if drop else "",
        java_home=shlex.quote(java_home),
        options=shlex.join(options),
    )
    path = home / "bin" / "java"
    path.write_text(script)
    path.chmod(0o755)
    return home


def of_driver_alone(environment: dict[str, str], properties: dict[str, str]) -> list[str]:
    """Names of the variables that the driver has beyond its node's, and that the job did not give its executors."""
    given = {name.removeprefix("spark.executorEnv.") for name in properties if name.startswith("spark.executorEnv.")}
    node = environment.get("LOCAL_EMR_VARIABLES", "").split()
    own = {name for name in environment if name.isidentifier()} - {*node, *given}
    return sorted(name for name in own if not name.startswith(("SPARK_", "PYSPARK_", "PYTHON", "JAVA_")))
