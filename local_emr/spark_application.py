"""One application on a cluster, as YARN would know it: its id, its driver's container, its files, its reports."""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_emr.yarn_log import line, log, report

REPORT_INTERVAL = 1.0  # seconds: spark.yarn.report.interval
S3_SCHEMES = ("s3://", "s3a://", "s3n://")
# The end of a failed step's stderr, as EMR 6 and 7 print it.
FAILED = """\
Exception in thread "main" org.apache.spark.SparkException: Application {application} finished with failed status
\tat org.apache.spark.deploy.yarn.Client.run(Client.scala:1342)
\tat org.apache.spark.deploy.yarn.YarnClusterApplication.start(Client.scala:1764)
\tat org.apache.spark.deploy.SparkSubmit.org$apache$spark$deploy$SparkSubmit$$runMain(SparkSubmit.scala:1029)
\tat org.apache.spark.deploy.SparkSubmit.doRunMain$1(SparkSubmit.scala:194)
\tat org.apache.spark.deploy.SparkSubmit.submit(SparkSubmit.scala:217)
\tat org.apache.spark.deploy.SparkSubmit.doSubmit(SparkSubmit.scala:91)
\tat org.apache.spark.deploy.SparkSubmit$$anon$2.doSubmit(SparkSubmit.scala:1120)
\tat org.apache.spark.deploy.SparkSubmit$.main(SparkSubmit.scala:1129)
\tat org.apache.spark.deploy.SparkSubmit.main(SparkSubmit.scala)"""


@dataclass
class Application:
    """An application of the cluster whose folder and record these are."""

    folder: Path
    cluster: dict[str, Any]
    work: Path
    id: str = ""
    start_ms: int = field(default_factory=lambda: int(time.time() * 1000))

    @classmethod
    def of_environment(cls) -> "Application":
        """Of the cluster on whose node this process runs, in its working directory."""
        folder = Path(os.environ["LOCAL_EMR_CLUSTER"])
        return cls(folder, json.loads((folder / "cluster.json").read_text()), Path.cwd())

    @property
    def buckets(self) -> Path:
        return self.folder.parent.parent / "s3"

    @property
    def cache(self) -> Path:
        return self.folder.parent.parent / "cache"

    @property
    def hdfs(self) -> Path:
        return self.folder / "hdfs"

    @property
    def parts(self) -> Path:
        """What is this application's alone in the step's folder."""
        return self.work / f".{self.id}"

    @property
    def container_name(self) -> str:
        """The application master's: container_<ms>_<nnnn>_01_000001."""
        return f"{self.id.replace('application', 'container')}_01_000001"

    @property
    def container_work(self) -> Path:
        return self.work / self.container_name

    @property
    def container_logs(self) -> Path:
        return self.folder / "logs" / "containers" / self.id / self.container_name

    @property
    def properties_file(self) -> Path:
        return self.work / f".{self.id or 'spark'}-defaults.conf"

    def missing_file(self, uri: str) -> str | None:
        """What is wrong when the job's own file is not in S3."""
        if not uri.startswith(S3_SCHEMES):
            return None
        bucket, _, key = uri.partition("://")[2].partition("/")
        return None if (self.buckets / bucket / key).is_file() else f"No such file or directory: {uri}"

    def submit(self) -> None:
        """Take the cluster's next application id, note it for the step, and make the container's folders."""
        containers = self.folder / "logs" / "containers"
        containers.mkdir(parents=True, exist_ok=True)
        number = len(list(containers.iterdir()))
        while True:
            number += 1
            self.id = f"application_{self.cluster['_CreatedMs']}_{number:04d}"
            try:
                (containers / self.id).mkdir()  # taken by who makes it: steps may run at the same time
                break
            except FileExistsError:
                continue
        with (self.work / ".applications").open("a") as file:
            file.write(self.id + "\n")
        log("INFO", "YarnClientImpl", f"Submitted application {self.id}")

    def localize(self, properties: dict[str, str], folder: Path) -> None:
        """Put --files and --archives where YARN puts them: into a container's working directory."""
        folder.mkdir(parents=True, exist_ok=True)
        for entry in filter(None, properties.get("spark.files", "").split(",")):
            source, name = self._localized(entry)
            if source != folder / name:
                shutil.copyfile(source, folder / name)
        for entry in filter(None, properties.get("spark.archives", "").split(",")):
            source, name = self._localized(entry)
            if not (folder / name).is_dir() and source != folder / name:
                shutil.unpack_archive(source, folder / name)

    def _localized(self, entry: str) -> tuple[Path, str]:
        """(local path, name in the container) of `uri#name`."""
        uri, _, name = entry.strip().partition("#")
        if uri.startswith(S3_SCHEMES):
            bucket, _, key = uri.partition("://")[2].partition("/")
            path = self.buckets / bucket / key
        else:
            path = self.work / uri.removeprefix("file://")
        if not path.is_file():
            raise SystemExit(f'Exception in thread "main" java.io.FileNotFoundException: No such file: {uri}')
        return path, name or path.name

    def run_in_container(self, command: list[str], environment: dict[str, str], is_python: bool, waits: bool) -> int:
        """Run the driver as YARN's application master would, and report on it; the submitter's exit code.

        When it does not wait (spark.yarn.submit.waitAppCompletion=false), the driver lives on in the background.
        """
        logs = self.container_logs
        logs.mkdir(parents=True)
        with (logs / "stdout").open("wb") as stdout, (logs / "stderr").open("wb") as stderr:
            driver = subprocess.Popen(command, env=environment, cwd=self.container_work, stdout=stdout, stderr=stderr)
        waiting = "AM container is launched, waiting for AM container to Register with RM"
        report(self.id, "ACCEPTED", self.start_ms, diagnostics=waiting)
        if not waits:
            driver.returncode = 0  # left to itself on purpose: no warning that it still runs
            return 0
        details = True
        while True:
            try:
                code = driver.wait(REPORT_INTERVAL)
                break
            except subprocess.TimeoutExpired:
                report(self.id, "RUNNING", self.start_ms, details=details)
                details = False
        if code == 0:
            report(self.id, "FINISHED", self.start_ms, "SUCCEEDED")
            return 0
        return self._failed(code, is_python)

    def _failed(self, code: int, is_python: bool) -> int:
        said = f"User application exited with status {code}" if is_python else f"User class exited with status {code}"
        with (self.container_logs / "stderr").open("a") as stderr:
            stderr.write(line("ERROR", "ApplicationMaster", said) + "\n")
            final = f"Final app status: FAILED, exitCode: 13, (reason: {said})"
            stderr.write(line("INFO", "ApplicationMaster", final) + "\n")
        report(self.id, "FINISHED", self.start_ms, "FAILED", said)
        log("ERROR", "Client", f"Application diagnostics message: {said}")
        print(FAILED.format(application=self.id), file=sys.stderr)
        return 1
