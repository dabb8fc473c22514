"""`s3-dist-cp` on a node of local EMR: copies a folder, file by file, between S3, HDFS and the node.

s3-dist-cp --src s3://bucket/in/ --dest hdfs:///in/ --srcPattern '.*\\.csv' --deleteOnSuccess
"""

import argparse
import re
import shutil
import sys
import tempfile
from pathlib import Path

from local_emr.spark_application import S3_SCHEMES, Application


class Cannot(Exception):
    """What was asked for cannot be done; the message says why."""


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="s3-dist-cp")
    parser.add_argument("--src", required=True)
    parser.add_argument("--dest", required=True)
    parser.add_argument("--srcPattern", default=".*")
    parser.add_argument("--deleteOnSuccess", action="store_true")
    parser.add_argument("--s3Endpoint")
    options, others = parser.parse_known_args(words)
    try:
        if others:
            raise Cannot(f"not available: {' '.join(others)}")
        copied = copy(Application.of_environment(), options)
    except (Cannot, OSError) as error:
        print(f"local EMR: s3-dist-cp: {error}", file=sys.stderr)
        return 1
    print(f"local EMR: s3-dist-cp: {copied} files copied from {options.src} to {options.dest}", file=sys.stderr)
    return 0


def copy(application: Application, options: argparse.Namespace) -> int:
    """Copy what --srcPattern matches, whole URIs as S3DistCp does; how many files."""
    source, target = place(application, options.src), place(application, options.dest)
    if not source.exists():
        raise Cannot(f"Input path does not exist: {options.src}")
    pattern, base = re.compile(options.srcPattern), options.src.rstrip("/")
    files = [source] if source.is_file() else sorted(path for path in source.rglob("*") if path.is_file())
    names = {path: base if path == source else f"{base}/{path.relative_to(source).as_posix()}" for path in files}
    wanted = [path for path, name in names.items() if pattern.fullmatch(name)]
    for path in wanted:
        to = target / (path.name if path == source else path.relative_to(source))
        to.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=to.parent, prefix=".copy-", delete=False) as part:
            shutil.copyfile(path, part.name)
        Path(part.name).replace(to)
    if options.deleteOnSuccess:
        for path in wanted:
            path.unlink()
    return len(wanted)


def place(application: Application, uri: str) -> Path:
    """The folder of a URI; it stays in its bucket, or in the cluster's HDFS, whatever `..` it has."""
    if uri.startswith("file://"):
        return Path(uri.removeprefix("file://"))
    if uri.startswith(S3_SCHEMES):
        bucket, _, key = uri.partition("://")[2].partition("/")
        root = application.buckets / bucket
        if not bucket or bucket.startswith(".") or not root.is_dir():
            raise Cannot(f"The specified bucket does not exist: {uri}")
    else:
        root, key = application.hdfs, uri.removeprefix("hdfs://").lstrip("/")
    path = (root / key).resolve()
    if not path.is_relative_to(root.resolve()):
        raise Cannot(f"not a path of its file system: {uri}")
    return path


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
