"""Clients that no one here wrote: the AWS CLI, as it comes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

AWS = Path(sys.executable).with_name("aws")


@pytest.fixture
def aws(s3_server, tmp_path):
    """Runs `aws s3 …` against local S3 and gives back what it said."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "AWS_ENDPOINT_URL": s3_server.url,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "LANG": "C.UTF-8",
    }

    def run(*arguments):
        command = [AWS, *arguments]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.mark.skipif(not AWS.exists(), reason="the AWS CLI is not installed here")
def test_the_aws_cli(aws, s3_server, tmp_path):
    source = tmp_path / "source"
    for name in ("Apple/0_100.jpg", "Apple/1 100.jpg", "Pêche/é+&.jpg", "big"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(name.encode() * (1_000_000 if name == "big" else 1))
    (source / "big").write_bytes(os.urandom(9 << 20))  # more than 8 MB goes up in parts

    aws("s3", "mb", "s3://fruits")
    assert aws("s3api", "get-bucket-location", "--bucket", "fruits", "--output", "text") == "eu-west-1\n"
    aws("s3", "sync", "source", "s3://fruits/data")
    assert aws("s3", "sync", "source", "s3://fruits/data") == "", "nothing is left to do"
    assert (s3_server.root / "fruits/data/Pêche/é+&.jpg").read_bytes() == (source / "Pêche/é+&.jpg").read_bytes()

    listed = aws("s3", "ls", "--recursive", "s3://fruits/")
    assert [line.split(None, 3)[3] for line in listed.splitlines()] == [
        "data/Apple/0_100.jpg",
        "data/Apple/1 100.jpg",
        "data/Pêche/é+&.jpg",
        "data/big",
    ]
    assert [line.strip() for line in aws("s3", "ls", "s3://fruits/data/").splitlines()][:2] == [
        "PRE Apple/",
        "PRE Pêche/",
    ]

    aws("s3", "sync", "s3://fruits/data", "back")
    assert (tmp_path / "back/big").read_bytes() == (source / "big").read_bytes()
    aws("s3", "cp", "s3://fruits/data/big", "s3://fruits/copy")
    assert (s3_server.root / "fruits/copy").read_bytes() == (source / "big").read_bytes()
    aws("s3", "mv", "s3://fruits/copy", "moved")
    aws("s3", "rm", "--recursive", "s3://fruits/data/Apple")
    assert not (s3_server.root / "fruits/data/Apple").exists()
    aws("s3", "rb", "--force", "s3://fruits")
    assert aws("s3", "ls") == ""
