"""Executors that are processes of their own: what works on EMR works, and what only works inside one process fails."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_emr import node_python, spark_executors
from local_emr.settings import Settings
from tests.local_emr.emr_fixtures import BUCKET, Emr, processes_mentioning, running

# A counter in the driver's memory, a file in the driver's folder: both are there for tasks inside the driver's process.
ONE_PROCESS = """
import os
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
open("lookup.txt", "w").write("apple")
os.environ["LOOKUP"] = "lookup.txt"
found = spark.sparkContext.range(4, numSlices=2).map(lambda _: open("lookup.txt").read()).collect()
print(found)
"""

ON_EMR = """
import os, sys
from pyspark.sql import SparkSession
import helper

builder = SparkSession.builder.master("yarn").appName("works on EMR")
spark = builder.config("spark.executor.memory", "900g").config("spark.executor.cores", "64").getOrCreate()

def look(_):
    print("an executor's own word", file=sys.stderr)
    names = ("ONLY_DRIVER", "GIVEN", "AWS_ENDPOINT_URL")
    return os.getpid(), os.getcwd(), open("words.txt").read(), helper.NAME, *(os.environ.get(n) for n in names)

seen = set(spark.sparkContext.range(8, numSlices=8).map(look).collect())
assert len({cwd for _, cwd, *_ in seen}) == 2, seen
assert os.getcwd() not in {cwd for _, cwd, *_ in seen}
assert {tuple(rest) for _, _, *rest in seen} == {("words", "helped", None, "yes", os.environ["AWS_ENDPOINT_URL"])}, seen
assert os.environ["ONLY_DRIVER"] == "set"
frame = spark.read.option("header", True).csv("s3://fruits-local/in/")
frame.write.parquet("/tmp/fruits")
spark.read.parquet("hdfs:///tmp/fruits").groupBy("label").count().coalesce(1).write.csv(sys.argv[1])
print("done")
"""


@pytest.fixture(scope="module")
def emr(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emr]:
    settings = Settings(executors=2)
    with running(tmp_path_factory.mktemp("a home"), settings=settings) as emr:
        emr.put("on_emr.py", ON_EMR)
        emr.put("one_process.py", ONE_PROCESS)
        emr.put("helper.py", "NAME = 'helped'\n")
        emr.put("words.txt", "words")
        emr.put("in/a.csv", "label\napple\napple\n")
        yield emr


@pytest.fixture(scope="module")
def cluster(emr: Emr) -> str:
    return emr.cluster()


@pytest.mark.spark
def test_what_works_on_emr_works_and_executors_have_containers(emr: Emr, cluster: str) -> None:
    step = emr.step(
        cluster,
        *("spark-submit", "--deploy-mode", "cluster", "--num-executors", "2", "--executor-memory", "600m"),
        *("--conf", "spark.yarn.appMasterEnv.ONLY_DRIVER=set", "--conf", "spark.executorEnv.GIVEN=yes"),
        *("--conf", "spark.shuffle.service.enabled=true", "--py-files", f"s3://{BUCKET}/helper.py"),
        *("--files", f"s3a://{BUCKET}/words.txt", f"s3://{BUCKET}/on_emr.py", f"s3://{BUCKET}/out/"),
    )
    state = emr.wait_step(cluster, step, seconds=200)["State"]
    submitter = emr.logs(f"{cluster}/steps/{step}/")["stderr.gz"]
    application = submitter.partition("Submitted application ")[2].partition("\n")[0]
    logs = emr.logs(f"{cluster}/containers/{application}/")
    assert state == "COMPLETED", (submitter, logs)
    container = application.replace("application", "container") + "_01_00000"
    assert set(logs) == {f"{container}{n}/{name}.gz" for n in (1, 2, 3) for name in ("stdout", "stderr")}
    assert logs[f"{container}1/stdout.gz"] == "done\n"
    assert "an executor's own word" not in logs[f"{container}1/stderr.gz"]
    assert all("an executor's own word" in logs[f"{container}{n}/stderr.gz"] for n in (2, 3))
    assert [part.read_text() for part in (emr.home / "s3" / BUCKET / "out").glob("part-*")] == ["apple,2\n"]
    assert processes_mentioning(f"{cluster}/work") == []


@pytest.mark.spark
def test_what_only_works_inside_one_process_fails_as_on_emr(emr: Emr, cluster: str) -> None:
    job = f"s3://{BUCKET}/one_process.py"
    separate = emr.step(cluster, "spark-submit", "--deploy-mode", "cluster", job)
    assert emr.wait_step(cluster, separate, seconds=200)["State"] == "FAILED"
    application = (
        emr.logs(f"{cluster}/steps/{separate}/")["stderr.gz"].partition("Submitted application ")[2].partition("\n")[0]
    )
    driver = emr.logs(
        f"{cluster}/containers/{application}/{application.replace('application', 'container')}_01_000001/"
    )
    assert "FileNotFoundError: [Errno 2] No such file or directory: 'lookup.txt'" in driver["stdout.gz"]
    together = emr.step(cluster, "bash", "-c", f"LOCAL_EMR_EXECUTORS=0 spark-submit {job}")
    assert emr.wait_step(cluster, together, seconds=200)["State"] == "COMPLETED"
    assert emr.logs(f"{cluster}/steps/{together}/")["stdout.gz"] == f"{['apple'] * 4}\n"


def test_executors_share_the_machine() -> None:
    asked = {"spark.executor.memory": "8g", "spark.driver.memory": "1g", "spark.executor.instances": "10"}
    plan = spark_executors.plan(asked, 2, 3072)
    assert (plan.count, plan.heap, plan.driver_heap) == (2, 1024, 1024)
    assert plan.remarks == ("spark.executor.memory of 8g is more than this machine can give a job: 1024m is used",)
    assert plan.master.startswith(f"local-cluster[2,{plan.cores},")
    assert spark_executors.plan({"spark.task.cpus": "3"}, 2, 8192).cores >= 3
    inside = spark_executors.plan({"spark.executor.memory": "4g"}, 0, 8192)
    assert (inside.master, inside.driver_heap) == (f"local[{inside.cores},4]", 4096)


def test_a_driver_s_own_variables_are_not_its_executors() -> None:
    environment = {"PATH": "/bin", "LOCAL_EMR_VARIABLES": "PATH LOCAL_EMR_VARIABLES", "MINE": "1", "BOTH": "1"}
    environment |= {"PYTHONPATH": "x", "SPARK_HOME": "y", "BASH_FUNC_f%%": "() { }"}
    assert spark_executors.of_driver_alone(environment, {"spark.executorEnv.BOTH": "1"}) == ["MINE"]


def test_a_script_may_say_master_yarn() -> None:
    (folder,) = node_python.__path__
    code = (
        "from pyspark import SparkConf\n"
        "conf = SparkConf(False)\n"
        "conf.setMaster('yarn').set('spark.executor.cores', '4').set('spark.mine', '1')\n"
        "assert dict(conf.getAll()) == {'spark.mine': '1'}, conf.getAll()\n"
        "assert conf.setMaster('local[1]').get('spark.master') == 'local[1]'\n"
    )
    environment = {**os.environ, "PYTHONPATH": folder}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_another_sitecustomize_is_not_hidden(tmp_path: Path) -> None:
    (folder,) = node_python.__path__
    (tmp_path / "sitecustomize.py").write_text("print('the other')\n")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([folder, str(tmp_path)])}
    done = subprocess.run([sys.executable, "-c", ""], env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout == "the other\n", done.stderr
