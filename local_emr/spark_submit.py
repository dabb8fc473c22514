"""`spark-submit` on a node of local EMR: the same command line, real Spark, this machine instead of YARN.

`--master yarn` becomes local Spark; logs still go where EMR puts them. In deploy mode cluster the driver's output goes
to its container's logs, and this command's stderr tells what YARN's client would; in client mode it stays here.
Spark's own launcher is skipped: it starts a JVM only to print the command line of the next.
"""

import importlib.util
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from local_emr.class_archive import ClassArchive
from local_emr.jvm import java_command
from local_emr.spark_application import Application
from local_emr.spark_arguments import SparkArguments, parse
from local_emr.spark_settings import (
    bucket_mounts,
    cluster_properties,
    cores,
    exported_variables,
    fitted_heap,
    machine_properties,
    memory_limit,
    read_properties,
    write_properties,
)
from local_emr.yarn_log import log

MAIN_CLASS = "org.apache.spark.deploy.SparkSubmit"
NOT_HERE = (  # of YARN's
    "--master", "--deploy-mode", "--queue", "--principal", "--keytab", "spark.master", "spark.submit.deployMode"
)  # fmt: skip
PYTHON_PROPERTIES = ("spark.pyspark.python", "spark.pyspark.driver.python")


def main(words: list[str]) -> int:
    application = Application.of_environment()
    given = parse(words)
    if given.resource is None:  # --version, --help, or a mistake: Spark's own answer
        return subprocess.run(
            driver_command(given, {}, 1024), env=driver_environment(application, {}), check=False
        ).returncode
    properties = merged_properties(application, given)
    heap, remarks = fitted_heap(properties, memory_limit())
    for remark in remarks:
        log("WARN", "Client", f"local EMR: {remark}")
    cluster_mode = properties.get("spark.submit.deployMode") == "cluster"
    if problem := application.missing_file(given.resource):
        print(f'Exception in thread "main" java.io.FileNotFoundException: {problem}', file=sys.stderr)
        return 1
    application.submit()
    archive = ClassArchive(application.cache, Path(spark_home()) / "jars")
    arguments = local_arguments(application, given, properties, heap)
    command = driver_command(arguments, properties, heap, archive.options())
    environment = driver_environment(application, properties)
    try:
        if not cluster_mode:
            return subprocess.run(command, env=environment, check=False).returncode
        application.localize(properties)
        return application.run_in_container(command, environment, is_python=given.resource.endswith(".py"))
    finally:
        archive.keep_list()


def merged_properties(application: Application, given: SparkArguments) -> dict[str, str]:
    """Properties as spark-submit ranks them: the command line, then --properties-file, or else the cluster's."""
    own_file = given.option("--properties-file")
    defaults = (
        read_properties(Path(own_file)) if own_file else cluster_properties(application.cluster, "spark-defaults")
    )
    return {**defaults, **given.properties()}


def local_arguments(
    application: Application, given: SparkArguments, properties: dict[str, str], heap: int
) -> SparkArguments:
    """The command line for Spark itself: everything the job asked for, but here."""
    mounts = {f"spark.hadoop.{name}": value for name, value in bucket_mounts(application.buckets).items()}
    defaults = {name: value for name, value in {**properties, **mounts}.items() if name not in NOT_HERE}
    write_properties(application.properties_file, defaults)
    pythons = {name: "python3" for name in PYTHON_PROPERTIES if is_system_python(properties.get(name, ""))}
    fixed = [("--conf", f"{name}={value}") for name, value in {**machine_properties(), **pythons}.items()]
    return given.without(*NOT_HERE, "--properties-file", "--driver-memory").having(
        ("--master", f"local[{cores()}]"),
        ("--driver-memory", f"{heap}m"),
        ("--properties-file", str(application.properties_file)),
        *fixed,
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
