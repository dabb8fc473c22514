"""The node of a cluster: a Python environment of its own, commands that a step expects on PATH, a clean environment.

    clusters/ID/node/    a virtual environment; `bin` is first on PATH: python3, pip3, sudo, spark-submit, hadoop, aws
    clusters/ID/home/    $HOME: what /home/hadoop is on EMR
    clusters/ID/tmp/     $TMPDIR, and Spark's scratch space
    clusters/ID/hdfs/    what hdfs:// and paths without a scheme mean to Spark and Hadoop
    clusters/ID/work/    working directories of bootstrap actions and steps
    clusters/ID/logs/    logs until they are uploaded, in EMR's layout

A cluster has one node here, whatever it asked for. Packages that a bootstrap action installs go into this environment
alone. Those of the environment that local EMR itself runs in are visible, so that the usual `pip install boto3` need
not download again what is there. With another Python (`LOCAL_EMR_PYTHON`, say a 3.9 as on emr-7.11.0) they are not.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

from local_emr import java
from local_emr.home import locked

PACKAGE_PARENT = Path(__file__).resolve().parent.parent
# Names under which a node's Python is called. emr-7.11.0 has 3.9 and 3.11: here both are the node's one.
PYTHON_NAMES = ("python", "python3", "python3.9", "python3.11")
# Variables of the server's environment that a node gets, by name or prefix. Nothing else: no credentials for jobs.
PASSED = ("LANG", "LC_", "TZ", "SSL_CERT_", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_")
PASSED_UNLESS_SECRET = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")

SUDO = """#!/bin/sh
# local EMR: a step's `sudo` is the user who runs local EMR; its options mean nothing here.
while [ $# -gt 0 ]; do
  case "$1" in
    --) shift; break ;;
    -u | -g | -p | -h | -C | -D | -R | -T | -U | -r | -t) shift 2 ;;
    -*) shift ;;
    *) break ;;
  esac
done
[ $# -eq 0 ] && exit 0
exec env "$@"
"""
NOT_HERE = """#!/bin/sh
# local EMR: this machine's own system is left alone.
echo "local EMR: not run on this machine: $(basename "$0") $*" >&2
"""
# Of other applications than Spark and Hadoop's file system. As on EMR where they are not installed, the step fails.
ABSENT = (
    "beeline", "flink", "flink-yarn-session", "hadoop-streaming", "hbase", "hive", "hive-script", "mapred", "oozie",
    "pig", "pig-script", "presto-cli", "pyspark", "spark-shell", "sparkR", "sqoop", "trino-cli", "yarn"
)  # fmt: skip
NOT_AVAILABLE = """#!/bin/sh
echo "local EMR: $(basename "$0"): not available: spark-submit, spark-sql, hadoop fs, aws and s3-dist-cp are." >&2
exit 1
"""
# The step "Setup Hadoop Debugging": it starts what shows logs in the old console.
STATE_PUSHER = """#!/bin/sh
echo "local EMR: nothing to set up: logs are in S3." >&2
"""
# pip knows no user's packages in an environment like the node's; on EMR they are hadoop's, and the jobs'.
NO_USER_OPTION = (
    "import sys; sys.argv[2:] = [w for w in sys.argv[2:] if w != '--user'] "
    "if sys.argv[:2] == ['-m', 'install'] else sys.argv[2:]"
)
PIP = '#!/bin/sh\nexec "{bin}/python3" -m pip "$@"\n'
# The commands that local EMR provides run in its own Python, away from what a job puts into PYTHONPATH.
OURS = """#!/bin/sh
exec "{python}" -I -c '
import sys
sys.path.insert(0, sys.argv.pop(1))
from {module} import main
sys.exit(main(sys.argv[1:]))' "{parent}" "$@"
"""

# By the option, too: `aws emr` of version 1 ignores AWS_ENDPOINT_URL in most regions, and would go to AWS itself.
AWS = '#!/bin/sh\nexec "{python}" -I -m awscli --endpoint-url "$AWS_ENDPOINT_URL" "$@"\n'


class Node:
    """The node of the cluster whose folder this is. `python` is the interpreter it gets; None means our own."""

    def __init__(self, folder: Path, cache: Path, python: str | None = None) -> None:
        self.folder, self.cache, self.python = folder, cache, python
        self.environment_folder = folder / "node"
        self.bin = self.environment_folder / "bin"
        self.home, self.tmp = folder / "home", folder / "tmp"
        self.work, self.logs, self.hdfs = folder / "work", folder / "logs", folder / "hdfs"

    def make(self) -> None:
        """Make the node, anew if there is one: about 0.1 s with our own Python."""
        self.remove()
        for folder in (self.home, self.tmp, self.work, self.logs, self.hdfs / "user/hadoop", self.hdfs / "tmp"):
            folder.mkdir(parents=True, exist_ok=True)
        if self.python:
            packages = _packages_of(self.python, self.cache)
            subprocess.run(
                [self.python, "-m", "venv", "--without-pip", self.environment_folder], check=True, capture_output=True
            )
        else:
            packages = Path(sysconfig.get_path("purelib"))
            venv.EnvBuilder(symlinks=True).create(self.environment_folder)
        for own in self.environment_folder.glob("lib/python*/site-packages"):
            # addsitedir, not a plain path: it also runs the .pth files there (on 3.12 distutils comes from setuptools')
            packages_line = f"import site; site.addsitedir({str(packages)!r})"
            (own / "local_emr.pth").write_text(f"{packages_line}\n{NO_USER_OPTION}\n")
        self._make_commands()

    def remove(self) -> None:
        """Delete all but the cluster's record. Logs are in S3 by then."""
        for folder in (self.environment_folder, self.home, self.tmp, self.work, self.logs, self.hdfs):
            shutil.rmtree(folder, ignore_errors=True)

    def _make_commands(self) -> None:
        for name in PYTHON_NAMES:
            if not (self.bin / name).exists():
                (self.bin / name).symlink_to("python3")
        commands = dict.fromkeys(("yum", "dnf", "systemctl", "service"), NOT_HERE)
        commands["sudo"] = SUDO
        commands |= {name: PIP.format(bin=self.bin) for name in ("pip", "pip3", "pip3.9", "pip3.11")}
        commands |= dict.fromkeys(ABSENT, NOT_AVAILABLE) | {"state-pusher-script": STATE_PUSHER}
        commands["s3-dist-cp"] = commands["s3-dist-cp.sh"] = _ours("local_emr.s3_dist_cp")
        for name in ("spark-submit", "spark-sql", "spark-example"):
            commands[name] = _ours(f"local_emr.{name.replace('-', '_')}")
        commands["run-example"] = commands["spark-example"]
        for name in ("hadoop", "hdfs"):
            commands[name] = _ours("local_emr.hadoop")
        if importlib.util.find_spec("awscli"):
            commands["aws"] = AWS.format(python=sys.executable)
        for name, text in commands.items():
            path = self.bin / name
            path.write_text(text)
            path.chmod(0o755)

    def environment(self, endpoint: str, region: str, **more: str) -> dict[str, str]:
        """All variables of a process of this node: `endpoint` is where its AWS clients go, with no real credentials."""
        java_home = java.java_home()
        path = [str(self.bin), str(java_home / "bin"), *_system_path()]
        variables = {
            **_passed(),
            "PATH": os.pathsep.join(path),
            "HOME": str(self.home),
            "USER": "hadoop",
            "LOGNAME": "hadoop",
            "HADOOP_USER_NAME": "hadoop",
            "SHELL": "/bin/bash",
            "TMPDIR": str(self.tmp),
            "VIRTUAL_ENV": str(self.environment_folder),
            # A bootstrap action that calls the system's own Python by its path must not install into it.
            "PIP_REQUIRE_VIRTUALENV": "true",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_CACHE_DIR": str(self.cache / "pip"),  # a package is downloaded once, not once a cluster
            **_pip_configuration(),
            "JAVA_HOME": str(java_home),
            "SPARK_LOCAL_IP": "127.0.0.1",  # else Spark listens on the host's own address
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "LOCAL_EMR_CLUSTER": str(self.folder),
            **more,
        }
        return {**variables, "LOCAL_EMR_VARIABLES": " ".join(sorted([*variables, "LOCAL_EMR_VARIABLES"]))}


def _ours(module: str) -> str:
    return OURS.format(python=sys.executable, module=module, parent=PACKAGE_PARENT)


def _system_path() -> list[str]:
    """PATH without the environment that local EMR runs in: its `spark-submit` and `aws` are not the node's."""
    ours = Path(sys.executable).parent
    inherited = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return [folder for folder in dict.fromkeys(inherited) if folder and Path(folder) != ours]


def _passed() -> dict[str, str]:
    passed = {k: v for k, v in os.environ.items() if k.startswith(PASSED) or k.lower() in PASSED_UNLESS_SECRET}
    return {k: v for k, v in passed.items() if "@" not in v}  # user:password@host in a proxy's or an index's address


def _pip_configuration() -> dict[str, str]:
    """Where the user's own pip finds packages: $HOME is another one on the node."""
    if "PIP_CONFIG_FILE" in os.environ:
        return {"PIP_CONFIG_FILE": os.environ["PIP_CONFIG_FILE"]}
    places = (".config/pip/pip.conf", "Library/Application Support/pip/pip.conf", ".pip/pip.conf")
    files = [Path.home() / place for place in places]
    return next(({"PIP_CONFIG_FILE": str(file)} for file in files if file.is_file()), {})


def _packages_of(python: str, cache: Path) -> Path:
    """The site-packages of another Python's pip, made once: what a node with that Python sees."""
    template = cache / ("python-" + hashlib.sha256(python.encode()).hexdigest()[:12])
    with locked(cache / "python.lock"):  # two clusters may start at once
        if not (template / "done").exists():
            shutil.rmtree(template, ignore_errors=True)
            subprocess.run([python, "-m", "venv", template], check=True, capture_output=True)
            (template / "done").touch()
    return next(template.glob("lib/python*/site-packages"))
