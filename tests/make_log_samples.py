"""Make the samples under tests/logs anew: run each job of log_jobs.py on local EMR with real Spark, and keep its logs.

    python -m tests.make_log_samples                  all
    python -m tests.make_log_samples timeout disk     those whose category/name has one of the words

Spark in local mode has no executors; jobs that need them run on Spark's own local-cluster, which starts real ones.
What says where this was run (paths, host names, times) is replaced by what it would be on a cluster.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import boto3

from local_emr import control, java
from scripts.upload_scripts import JOB, JOB_MODULES
from tests.log_jobs import FAILING, HEALTHY, Job

ROOT = Path(__file__).resolve().parents[1]
LOGS = Path(__file__).with_name("logs")
BUCKET = "fruits-local"
APPLICATION = "application_1763456789012_0001"
MOST_LINES = 400
# What Spark's own small cluster says of itself, and YARN would not.
_STANDALONE = re.compile(
    r"\b(?:Master|Worker|ExecutorRunner|LocalSparkCluster|StandaloneAppClient\S*): |java -cp|Launch command:"
)


def main(words: list[str]) -> None:
    wanted = [
        (category, job)
        for category, jobs in [*FAILING.items(), ("healthy", HEALTHY)]
        for job in jobs
        if not words or any(word in f"{category}/{job.name}" for word in words)
    ]
    with tempfile.TemporaryDirectory(prefix="samples-") as folder:
        maker = Maker(Path(folder))
        try:
            for category, job in wanted:
                started = time.monotonic()
                state = maker.make(category, job)
                right = state == ("COMPLETED" if category == "healthy" else "FAILED")
                print(
                    f"{'' if right else 'WRONG '}{category}/{job.name}: {state}, {time.monotonic() - started:.0f} s",
                    flush=True,
                )
        finally:
            control.down(maker.home)


class Maker:
    """A local EMR with one cluster, and a Spark home of its own for jobs with real executors."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder, folder / "local_emr"
        self.server = control.up(self.home)
        options: dict[str, Any] = {
            "region_name": "eu-west-1", "endpoint_url": self.server.url,
            "aws_access_key_id": "local", "aws_secret_access_key": "local",
        }  # fmt: skip
        self.emr, self.s3 = boto3.client("emr", **options), boto3.client("s3", **options)
        self.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        for label in ("Apple", "Pear"):
            for split in ("Training", "Test"):
                self.s3.put_object(Bucket=BUCKET, Key=f"images/{split}/{label}/0_100.jpg", Body=b"x" * 100)
        for script in (JOB, *JOB_MODULES):
            self.s3.upload_file(str(script), BUCKET, f"scripts/{script.name}")
        self.cluster = self.emr.run_job_flow(
            Name="samples", ReleaseLabel="emr-7.11.0", LogUri=f"s3://{BUCKET}/logs/", ServiceRole="EMR_DefaultRole",
            JobFlowRole="EMR_EC2_DefaultRole", Applications=[{"Name": "Spark"}],
            Instances={
                "KeepJobFlowAliveWhenNoSteps": True,
                "InstanceGroups": [{"InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1}],
            },
        )["JobFlowId"]  # fmt: skip

    def make(self, category: str, job: Job) -> str:
        target = LOGS / category / job.name
        shutil.rmtree(target, ignore_errors=True)
        state = self._with_executors(job, target) if job.how == "executors" else self._as_step(job, target)
        for path in sorted(target.rglob("*")):
            if path.is_file():
                if path.stat().st_size:
                    self._sanitize(path)
                else:
                    path.unlink()
        return state

    def _filled(self, text: str) -> str:
        jar = next((Path(spark_home()) / "jars").glob("spark-tags*.jar"))
        for name in re.findall(r"\{(python3\.\d+)\}", text):
            text = text.replace(f"{{{name}}}", python_of(name))
        for name, value in {"{bucket}": BUCKET, "{jar}": str(jar)}.items():
            text = text.replace(name, value)
        return text

    # -- on local EMR -----------------------------------------------------------------------------------------------

    def _as_step(self, job: Job, target: Path) -> str:
        key = f"scripts/{job.script}"
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=self._filled(job.code).encode())
        words = self._words(job, f"s3://{BUCKET}/{key}")
        config = {"Jar": "command-runner.jar", "Args": words}
        if job.how == "jar":
            config = {"Jar": self._filled(job.arguments[0]), "Args": []}
        step = self.emr.add_job_flow_steps(
            JobFlowId=self.cluster, Steps=[{"Name": job.name, "ActionOnFailure": "CONTINUE", "HadoopJarStep": config}]
        )["StepIds"][0]
        while True:
            state = self.emr.describe_step(ClusterId=self.cluster, StepId=step)["Step"]["Status"]["State"]
            if state in ("COMPLETED", "FAILED", "CANCELLED", "INTERRUPTED"):
                break
            time.sleep(0.2)
        self._copy(f"logs/{self.cluster}/steps/{step}/", target / "steps" / "s-SAMPLE")
        stderr = target / "steps" / "s-SAMPLE" / "stderr"
        for application in dict.fromkeys(re.findall(r"application_\d+_\d+", stderr.read_text(errors="replace"))):
            self._copy(f"logs/{self.cluster}/containers/{application}/", target / "containers" / application)
        return str(state)

    def _words(self, job: Job, script: str) -> list[str]:
        given = [self._filled(word) for word in job.arguments]
        variables = [
            word
            for name, value in job.environment.items()
            for word in ("--conf", f"spark.yarn.appMasterEnv.{name}={self._filled(value)}")
        ]
        submit = ["spark-submit", "--master", "yarn", "--deploy-mode"]
        if job.how == "shell":
            return ["bash", "-c", self._filled(job.command).replace("{script}", str(self._local(job)))]
        if job.how == "submit":
            return [*submit, "cluster", *map(self._filled, job.options), *given]
        if job.how == "project":
            main, *modules = (f"s3://{BUCKET}/scripts/{path.name}" for path in (JOB, *JOB_MODULES))
            return [*submit, "cluster", "--py-files", ",".join(modules), main, *given]
        return [*submit, job.how, *map(self._filled, job.options), *variables, script, *given]

    def _local(self, job: Job) -> Path:
        path = self.folder / job.script
        path.write_text(self._filled(job.code))
        return path

    def _copy(self, prefix: str, target: Path) -> None:
        for item in self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", []):
            path = target / item["Key"].removeprefix(prefix).removesuffix(".gz")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(gzip.decompress(self.s3.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read()))

    # -- with executors of their own --------------------------------------------------------------------------------

    def _with_executors(self, job: Job, target: Path) -> str:
        home = self.folder / "spark"
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        for part in Path(spark_home()).iterdir():
            (home / part.name).symlink_to(part)
        logs, container = target / "steps" / "s-SAMPLE", target / "containers" / APPLICATION
        logs.mkdir(parents=True)
        command = [
            str(home / "bin" / "spark-submit"), "--master", "local-cluster[2,1,900]",
            "--conf", "spark.executor.memory=500m", "--conf", "spark.ui.enabled=false",
            *map(self._filled, job.options), str(self._local(job)),
        ]  # fmt: skip
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(self.folder), "SPARK_HOME": str(home),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "JAVA_HOME": str(java.java_home()), "PYSPARK_PYTHON": sys.executable,
            **{name: self._filled(value) for name, value in job.environment.items()},
        }  # fmt: skip
        with (logs / "stdout").open("wb") as out, (logs / "stderr").open("wb") as err:
            code = subprocess.run(command, env=environment, stdout=out, stderr=err, timeout=300, check=False).returncode
            err.write(f"Command exiting with ret '{code}'\n".encode())
        for number, stderr in enumerate(sorted((home / "work").glob("app-*/*/stderr")), 2):
            place = container / f"{APPLICATION.replace('application', 'container')}_01_{number:06d}"
            place.mkdir(parents=True)
            for name in ("stderr", "stdout"):
                shutil.copy(stderr.with_name(name), place / name)
        return "COMPLETED" if code == 0 else "FAILED"

    # -- what is kept ------------------------------------------------------------------------------------------------

    def _sanitize(self, path: Path) -> None:
        text = path.read_text(errors="replace")
        packages, home = str(Path(spark_home()).parent), str(Path.home())
        for old, new in (
            (spark_home(), "/usr/lib/spark/python/lib/pyspark.zip/pyspark"),
            (packages, "/usr/local/lib/python3.11/site-packages"),
            (str(self.home / "clusters" / self.cluster), "/mnt/var/lib"),
            (str(self.home), "/mnt/local"),
            (str(self.folder / "spark"), "/usr/lib/spark"),
            (str(self.folder), "/mnt/tmp"),
            (str((ROOT / ".venv").resolve()), "/usr"),
            (str(ROOT / ".venv"), "/usr"),
            (str(ROOT), "/mnt/checkout"),
            (str(Path(sys.executable).resolve().parents[1]), "/usr"),
            (home, "/home/hadoop"),
        ):
            text = text.replace(old, new)
        text = re.sub(r"(/\S*)?/\.pyenv/versions/[\d.]+", "/usr", text)
        text = re.sub(rf"{tempfile.gettempdir()}/(?:spark-[0-9a-f-]{{36}}|tmp\w+)", "/mnt/tmp/spark-0", text)
        text = re.sub(rf"\b{re.escape(socket.gethostname())}\b", "ip-10-0-0-12.eu-west-1.compute.internal", text)
        text = re.sub(r"(?m)^(INFO Environment:)\n(?:  \S+=.*\n)+", r"\1\n", text)
        text = re.sub(
            r"\d{1,3}(?:\.\d{1,3}){3}(?=[:/ ])",
            lambda ip: ip[0] if ip[0].startswith(("127.", "0.")) else "10.0.0.12",
            text,
        )
        lines = [line for line in text.splitlines() if not _STANDALONE.search(line)]
        if len(lines) > MOST_LINES:
            lines = [*lines[: MOST_LINES // 2], *lines[-MOST_LINES // 2 :]]
        path.write_text("".join(f"{line[:1000]}\n" for line in lines))


def _address(found: re.Match[str]) -> str:
    return found[0] if found[0].startswith(("127.", "0.")) else "10.0.0.12"


def python_of(name: str) -> str:
    """The interpreter of a version: of pyenv or uv, or else the one on PATH."""
    places = (Path.home() / ".pyenv" / "versions", Path.home() / ".local" / "share" / "uv" / "python")
    number = name.removeprefix("python")
    found = [path for place in places for path in sorted(place.glob(f"*{number}*/bin/{name}"))]
    return str(found[-1]) if found else name


def spark_home() -> str:
    import pyspark

    return str(Path(pyspark.__file__).parent)


if __name__ == "__main__":
    main(sys.argv[1:])
