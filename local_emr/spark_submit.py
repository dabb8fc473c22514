"""`spark-submit` on a node of local EMR: the same command line, real Spark, this machine instead of YARN.

`--master yarn` becomes local Spark; logs still go where EMR puts them. In deploy mode cluster the driver's output goes
to its container's logs, and this command's stderr tells what YARN's client would; in client mode it stays here.
Executors are threads of the driver, or processes of their own: see `spark_executors.py`.
Spark's own launcher is skipped: it starts a JVM only to print the command line of the next.
"""

import importlib.util
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from local_emr import spark_executors
from local_emr.class_archive import ClassArchive
from local_emr.java import java_home
from local_emr.jvm import COLLECTOR, java_command
from local_emr.spark_application import Application
from local_emr.spark_arguments import SparkArguments, parse
from local_emr.spark_executors import Plan
from local_emr.spark_settings import (
    cluster_properties,
    exported_variables,
    machine_properties,
    memory_limit,
    mounts,
    read_properties,
    write_properties,
)
from local_emr.yarn_log import log

MAIN_CLASS = "org.apache.spark.deploy.SparkSubmit"
NOT_HERE = (  # of YARN's
    "--master", "--deploy-mode", "--queue", "--principal", "--keytab", "spark.master", "spark.submit.deployMode"
)  # fmt: skip
# What a plan has decided, when executors are processes.
PLANNED = (
    "--driver-memory", "--executor-memory", "--executor-cores", "--num-executors", "--total-executor-cores",
    "spark.driver.memory", "spark.cores.max"
)  # fmt: skip
PYTHON_PROPERTIES = ("spark.pyspark.python", "spark.pyspark.driver.python")
NODE_PYTHON = Path(__file__).with_name("node_python")


def main(words: list[str]) -> int:
    application = Application.of_environment()
    given = parse(words)
    if given.resource is None:  # --version, --help, or a mistake: Spark's own answer
        return subprocess.run(
            driver_command(given, {}, 1024), env=driver_environment(application, {}), check=False
        ).returncode
    properties = merged_properties(application, given)
    plan = spark_executors.plan(properties, spark_executors.wanted(), memory_limit())
    for remark in plan.remarks:
        log("WARN", "Client", f"local EMR: {remark}")
    if problem := application.missing_file(given.resource):
        print(f'Exception in thread "main" java.io.FileNotFoundException: {problem}', file=sys.stderr)
        return 1
    application.submit()
    return run(application, given, properties, plan)


def run(application: Application, given: SparkArguments, properties: dict[str, str], plan: Plan) -> int:
    """Run an application that has its id; the submitter's exit code."""
    archive = ClassArchive(application.cache, Path(spark_home()) / "jars")
    environment = driver_environment(application, properties)
    fixed = plan.properties()
    if plan.count:
        fixed |= executors(application, properties, plan, environment, archive)
    arguments = local_arguments(application, given, properties, plan, fixed)
    command = driver_command(arguments, properties, plan.driver_heap, archive.options())
    cluster_mode = properties.get("spark.submit.deployMode") == "cluster"
    try:
        if cluster_mode:
            application.localize(properties, application.container_work)
            waits = properties.get("spark.yarn.submit.waitAppCompletion") != "false"
            is_python = str(given.resource).endswith(".py")
            return application.run_in_container(command, environment, is_python, waits)
        if not plan.count:  # tasks run in this very folder, and find there what --files and --archives brought
            application.localize(properties, application.work)
        return subprocess.run(command, env=environment, check=False).returncode
    finally:
        archive.keep_list()


def executors(
    application: Application,
    properties: dict[str, str],
    plan: Plan,
    environment: dict[str, str],
    archive: ClassArchive,
) -> dict[str, str]:
    """Make what an application's executors start from; the properties, and variables of `environment`, that say so."""
    drop = spark_executors.of_driver_alone(environment, properties)
    home = spark_executors.make_spark_home(application.parts, Path(spark_home()))
    java = spark_executors.make_java_home(
        application.parts,
        str(java_home()),
        application.container_name.rpartition("_")[0],
        application.container_logs.parent,
        application.work / spark_executors.PIDS,
        plan.heap,
        [COLLECTOR, *archive.options(may_list=False)],
        drop,
    )
    environment |= {"SPARK_HOME": str(home), "SPARK_SCALA_VERSION": spark_executors.SCALA}
    return {"spark.executorEnv.JAVA_HOME": str(java)}


def merged_properties(application: Application, given: SparkArguments) -> dict[str, str]:
    """Properties as spark-submit ranks them: the command line, then --properties-file, or else the cluster's."""
    own_file = given.option("--properties-file")
    defaults = (
        read_properties(Path(own_file)) if own_file else cluster_properties(application.cluster, "spark-defaults")
    )
    return {**defaults, **given.properties()}


def local_arguments(
    application: Application, given: SparkArguments, properties: dict[str, str], plan: Plan, fixed: dict[str, str]
) -> SparkArguments:
    """The command line for Spark itself: everything the job asked for, but here."""
    not_here = (*NOT_HERE, *PLANNED, *plan.properties())
    folders = mounts(application.buckets, application.hdfs).items()
    places = {f"spark.hadoop.{name}": value for name, value in folders}
    defaults = {name: value for name, value in {**properties, **places}.items() if name not in not_here}
    write_properties(application.properties_file, defaults)
    pythons = {name: "python3" for name in PYTHON_PROPERTIES if is_system_python(properties.get(name, ""))}
    settings = {**machine_properties(), **pythons, **fixed}
    return given.without(*not_here, "--properties-file").having(
        ("--master", plan.master),
        ("--driver-memory", f"{plan.driver_heap}m"),
        ("--properties-file", str(application.properties_file)),
        *(("--conf", f"{name}={value}") for name, value in settings.items()),
    )


def driver_command(
    arguments: SparkArguments, properties: dict[str, str], heap: int, archive: Sequence[str] = ()
) -> list[str]:
    """The JVM's command line, as Spark's launcher would make it."""
    class_path = [*filter(None, [properties.get("spark.driver.extraClassPath")]), f"{spark_home()}/jars/*"]
    options = [f"-Xmx{heap}m", *archive, *shlex.split(properties.get("spark.driver.extraJavaOptions", ""))]
    return [*java_command(class_path, options), MAIN_CLASS, *arguments.command_line()]


def driver_environment(application: Application, properties: dict[str, str]) -> dict[str, str]:
    """Our environment, what `spark-env` exports, and what YARN would set in the driver's container."""
    prefix = "spark.yarn.appMasterEnv."
    asked = {name.removeprefix(prefix): value for name, value in properties.items() if name.startswith(prefix)}
    environment = {**os.environ, **exported_variables(application.cluster), **asked}
    environment["SPARK_HOME"] = spark_home()
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(NODE_PYTHON), environment.get("PYTHONPATH")]))
    environment.setdefault("PYSPARK_PYTHON", "python3")
    for name in ("PYSPARK_PYTHON", "PYSPARK_DRIVER_PYTHON"):
        if is_system_python(environment.get(name, "")):
            log("WARN", "Client", f"local EMR: {name}={environment[name]} is this node's python3")
            environment[name] = "python3"
    if library_path := properties.get("spark.driver.extraLibraryPath"):
        environment["LD_LIBRARY_PATH"] = library_path
    return environment


def is_system_python(path: str) -> bool:
    """Whether it names one of EMR's own Pythons, /usr/bin/python3.11 say: packages of the cluster are in the node's."""
    return path.startswith("/usr/bin/python3")


def spark_home() -> str:
    """The pyspark package: its wheel holds all of Spark."""
    spec = importlib.util.find_spec("pyspark")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("pyspark is not installed in the environment that runs local EMR")
    return spec.submodule_search_locations[0]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
