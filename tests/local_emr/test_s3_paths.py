"""No request and no link leads out of a bucket."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from local_emr.s3 import S3Error

BAD_PATHS = [
    "/fruits/../secret",
    "/fruits/../../secret",
    "/fruits/%2e%2e/secret",
    "/fruits/%2e%2e%2fsecret",
    "/fruits/..%2fsecret",
    "/fruits/..%2f..%2f..%2f..%2f..%2fetc/passwd",
    "/fruits//etc/passwd",
    "/fruits/%2fetc/passwd",
    "/fruits/a/./b",
    "/fruits/a//b",
    "/fruits/nul%00byte",
    "/fruits/" + "x" * 256,
    "/fruits/" + "/".join(["x" * 200] * 6),
    "/../secret",
    "/%2e%2e/secret",
    "/.s3/lock",
    "/%2es3/lock",
    "/fruits/%ff%fe",
    "/fruits%00/k",
    "/" + "b" * 300 + "/k",
]


@pytest.mark.parametrize("path", BAD_PATHS)
def test_no_path_leads_out_of_its_bucket(raw, s3_server, bucket, path):
    (s3_server.root / "secret").write_text("secret")
    before = sorted(p for p in s3_server.root.rglob("*") if ".s3" not in p.parts)
    for method, body in (("GET", None), ("PUT", b"mine"), ("DELETE", None), ("POST", b""), ("HEAD", None)):
        status, answer, headers = raw(method, path, body)
        assert status in (400, 404, 501), (method, answer)
        assert b"Traceback" not in answer
        assert (b"<Code>" in answer) == (method != "HEAD")
        assert headers["x-amz-request-id"]
    assert (s3_server.root / "secret").read_text() == "secret"
    assert sorted(p for p in s3_server.root.rglob("*") if ".s3" not in p.parts) == before


@pytest.mark.parametrize(
    "source", ["fruits/../secret", "../secret", ".s3/lock", "/etc/passwd", "fruits/%2e%2e/secret", "x"]
)
def test_nor_does_the_source_of_a_copy(raw, s3_server, bucket, source):
    (s3_server.root / "secret").write_text("secret")
    status, answer, _ = raw("PUT", "/fruits/k", b"", {"x-amz-copy-source": source})
    assert status in (400, 404), answer
    assert not (s3_server.root / bucket / "k").exists()


@pytest.mark.parametrize("key", ["../x", "/etc/passwd", "a/../../x", "", "a\0b"])
def test_nor_does_path_of(s3_server, bucket, key):
    with pytest.raises(S3Error):
        s3_server.app.path_of(bucket, key)
    with pytest.raises(S3Error):
        s3_server.app.put_file(bucket, key, b"")


def test_links_that_lead_out_are_not_followed(raw, s3, s3_server, bucket, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    home = s3_server.root / bucket
    (home / "file").symlink_to(outside / "secret")
    (home / "folder").symlink_to(outside)
    (s3_server.root / "linked").symlink_to(outside)
    (home / "kept").write_text("kept")
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["kept"]
    assert s3.list_objects_v2(Bucket=bucket, Prefix="folder/")["KeyCount"] == 0
    assert s3_server.app.buckets() == [bucket]
    for key in ("file", "folder/secret"):
        assert raw("GET", f"/{bucket}/{key}")[0] == 404
        with pytest.raises(S3Error):
            s3_server.app.path_of(bucket, key)
    assert raw("GET", "/linked/secret")[0] == 404
    assert raw("PUT", f"/{bucket}/folder/new", b"mine")[0] == 403
    assert raw("DELETE", f"/{bucket}/folder/secret")[0] == 403
    assert raw("PUT", f"/{bucket}/file", b"mine")[0] == 200  # the link is replaced, not what it leads to
    assert (home / "file").read_text() == "mine"
    assert [path.name for path in outside.iterdir()] == ["secret"]
    assert (outside / "secret").read_text() == "secret"


def test_links_within_a_bucket_are_followed_but_never_in_circles(s3, s3_server, bucket):
    s3.put_object(Bucket=bucket, Key="a/k", Body=b"x")
    home = s3_server.root / bucket
    (home / "b").symlink_to(home / "a")
    (home / "a" / "up").symlink_to(home)
    (home / "a" / "self").symlink_to(home / "a")
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["a/k", "b/k"]
    assert s3.get_object(Bucket=bucket, Key="b/k")["Body"].read() == b"x"


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="where an open file is, only Linux tells")
def test_a_link_that_comes_just_before_the_file_is_opened_leads_nowhere(raw, s3_server, bucket, tmp_path, monkeypatch):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "k").write_text("secret")
    folder = s3_server.root / bucket / "folder"
    s3_server.app.put_file(bucket, "folder/k", b"x")
    assert raw("GET", "/fruits/folder/k")[1] == b"x"
    really = os.open

    def after_a_swap(path, *how):
        if path == f"{folder}/k" and not folder.is_symlink():
            folder.rename(tmp_path / "folder")
            folder.symlink_to(outside)
        return really(path, *how)

    monkeypatch.setattr("local_emr.s3.keys.os.open", after_a_swap)
    status, answer, _ = raw("GET", "/fruits/folder/k")
    assert folder.is_symlink()
    assert (status, b"NoSuchKey" in answer) == (404, True)
    assert raw("GET", "/none/k")[1].count(b"NoSuchBucket") == 1
