"""`hadoop` and `hdfs` on a node of local EMR: the file system shell, on the same folders that Spark sees.

hadoop fs -ls s3://bucket/prefix/
hdfs dfs -cat s3://bucket/key
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

from local_emr.jvm import java_command
from local_emr.spark_application import Application
from local_emr.spark_settings import file_systems, mounts
from local_emr.spark_submit import spark_home

SHELL = "org.apache.hadoop.fs.FsShell"


def main(words: list[str]) -> int:
    """`fs` and `dfs` only: there is no YARN here, and no MapReduce to run a jar."""
    if not words or words[0] not in ("fs", "dfs"):
        command = " ".join(words[:2]) or "without a command"
        print(f"local EMR: hadoop {command}: not available; `hadoop fs` is.", file=sys.stderr)
        return 1
    application = Application.of_environment()
    settings = {**file_systems(), **mounts(application.buckets, application.hdfs)}
    with tempfile.TemporaryDirectory() as folder:
        write_site(Path(folder, "core-site.xml"), settings)
        java = java_command([folder, f"{spark_home()}/jars/*"], ["-Xmx512m"])
        return subprocess.run([*java, SHELL, *words[1:]], check=False).returncode


def write_site(path: Path, settings: dict[str, str]) -> None:
    """A Hadoop configuration file."""
    configuration = ElementTree.Element("configuration")
    for name, value in settings.items():
        setting = ElementTree.SubElement(configuration, "property")
        ElementTree.SubElement(setting, "name").text = name
        ElementTree.SubElement(setting, "value").text = value
    ElementTree.ElementTree(configuration).write(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
