"""Listings, against a naive model: every key in a sorted list, paged and grouped by hand."""

from __future__ import annotations

import hashlib
import itertools
import os
import random
import re
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from werkzeug.test import Client

from local_emr.s3 import S3, listing
from local_emr.s3.listing import Folders
from local_emr.s3.metadata import MetadataStore, has_settled


def naive(keys, prefix="", delimiter="", after=""):
    """(keys, groups) in one list, in order: what S3 lists of the keys."""
    seen = []
    for key in sorted(keys, key=str.encode):
        if not key.startswith(prefix):
            continue
        at = key.find(delimiter, len(prefix)) if delimiter else -1
        name = key if at < 0 else key[: at + len(delimiter)]
        if name.encode() > after.encode() and name not in seen:
            seen.append(name)
    return seen


def pages_v2(s3, bucket, size, **how):
    found = []
    token = {}
    while True:
        page = s3.list_objects_v2(Bucket=bucket, MaxKeys=size, **how, **token)
        names = [o["Key"] for o in page.get("Contents", [])] + [p["Prefix"] for p in page.get("CommonPrefixes", [])]
        assert page["KeyCount"] == len(names) <= size
        assert page["IsTruncated"] == ("NextContinuationToken" in page)
        found += sorted(names, key=str.encode)
        if not page["IsTruncated"]:
            return found
        token = {"ContinuationToken": page["NextContinuationToken"]}


def pages_v1(s3, bucket, size, **how):
    found = []
    marker = {}
    while True:
        page = s3.list_objects(Bucket=bucket, MaxKeys=size, **how, **marker)
        names = [o["Key"] for o in page.get("Contents", [])] + [p["Prefix"] for p in page.get("CommonPrefixes", [])]
        found += sorted(names, key=str.encode)
        if not page["IsTruncated"]:
            return found
        marker = {"Marker": page.get("NextMarker", found[-1])}


def a_tree(seed):
    """A few hundred keys that no folder tree refuses, with the orders that go wrong: a.b, a/b and a-b; é, 𝄞 and ﬁ."""
    chance = random.Random(seed)  # noqa: S311
    parts = [
        "a",
        "a.b",
        "a-b",
        "a b",
        "A",
        "b",
        "b0",
        "B-",
        "é",
        "e\u0301",
        "ﬁ",
        "𝄞",
        "0",
        "10",
        "9",
        "~",
        ".x",
        "+",
        "%41",
    ]
    keys = set()
    while len(keys) < 300:
        key = "/".join(chance.choice(parts) for _ in range(chance.randint(1, 4)))
        if chance.random() < 0.1:
            key += "/"
        folders = {key[:at] for at in range(len(key)) if key[at] == "/"}
        if not folders & keys and not any(k.startswith(key.rstrip("/") + "/") for k in keys if not key.endswith("/")):
            keys.add(key)
    return sorted(keys)


@pytest.fixture
def tree(s3_server, bucket):
    keys = a_tree(seed=4)
    for key in keys:
        if key.endswith("/"):
            s3_server.client().put_object(Bucket=bucket, Key=key)
        else:
            s3_server.app.put_file(bucket, key, key.encode())
    return keys


PREFIXES = ["", "a", "a/", "a.", "a/b", "a/b/", "b0/", "é", "none/", "a//", "../", "a/./b", ".", "~", "a b/"]
DELIMITERS = ["", "/", "-", "b", "a/", "/b", "é", "."]


def test_any_prefix_delimiter_and_page_size(s3, bucket, tree):
    for (prefix, delimiter), size in zip(
        itertools.product(PREFIXES, DELIMITERS), itertools.cycle([7, 50, 1000]), strict=False
    ):
        expected = naive(tree, prefix, delimiter)
        how = {"Prefix": prefix, "Delimiter": delimiter}
        assert pages_v2(s3, bucket, size, **how) == expected, how
        assert pages_v1(s3, bucket, size, **how) == expected, how


def test_pages_of_one(s3, bucket, tree):
    assert pages_v2(s3, bucket, 1, Prefix="a/") == naive(tree, "a/")
    assert pages_v2(s3, bucket, 1, Delimiter="/") == naive(tree, "", "/")


def test_start_after_any_place(s3, bucket, tree):
    chance = random.Random(7)  # noqa: S311
    places = [*chance.sample(tree, 15), "a", "a/", "a0", "zz", "\U0010ffff", "a/a/zzz"]
    for after, delimiter in zip(places, itertools.cycle(["", "/", "b"]), strict=False):
        found = pages_v2(s3, bucket, 40, StartAfter=after, Delimiter=delimiter)
        assert found == naive(tree, "", delimiter, after), (after, delimiter)


def test_versions_are_the_objects(s3, bucket, tree):
    versions = [
        v for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket) for v in page["Versions"]
    ]
    assert [v["Key"] for v in versions] == naive(tree)
    assert {v["VersionId"] for v in versions} == {"null"}


def test_a_page_says_of_each_key_what_head_says(s3, s3_server, bucket):
    s3.put_object(Bucket=bucket, Key="ours", Body=b"12345")
    (s3_server.root / bucket / "foreign").write_bytes(b"123")
    os.utime(s3_server.root / bucket / "foreign", (1_700_000_000, 1_700_000_000.75))
    for listed in s3.list_objects_v2(Bucket=bucket)["Contents"]:
        head = s3.head_object(Bucket=bucket, Key=listed["Key"])
        assert (listed["Size"], listed["ETag"]) == (head["ContentLength"], head["ETag"])
        assert listed["LastModified"] == head["LastModified"]
        assert listed["LastModified"].microsecond == 0
        assert listed["StorageClass"] == "STANDARD"


def test_fields_of_a_page(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k")
    page = s3.list_objects_v2(Bucket=bucket, FetchOwner=True, StartAfter="a", Prefix="k", MaxKeys=5000)
    assert page["Contents"][0]["Owner"]
    assert (page["StartAfter"], page["Prefix"], page["MaxKeys"], page["Name"]) == ("a", "k", 1000, bucket)
    assert s3.list_objects_v2(Bucket=bucket, MaxKeys=0)["IsTruncated"] is False
    assert "Owner" not in s3.list_objects_v2(Bucket=bucket)["Contents"][0]


@pytest.mark.parametrize("wrong", [{"ContinuationToken": "!"}, {"MaxKeys": -1}, {"EncodingType": "other"}])
def test_wrong_arguments(s3, bucket, wrong):
    with pytest.raises(ClientError, match="InvalidArgument"):
        s3.list_objects_v2(Bucket=bucket, **wrong)


def test_an_empty_folder_is_no_prefix(s3, s3_server, bucket):
    (s3_server.root / bucket / "a" / "b").mkdir(parents=True)
    assert s3.list_objects_v2(Bucket=bucket, Delimiter="/")["KeyCount"] == 0
    s3.put_object(Bucket=bucket, Key="a/b/c")
    assert s3.list_objects_v2(Bucket=bucket, Delimiter="/")["CommonPrefixes"] == [{"Prefix": "a/"}]


def test_a_name_that_is_not_utf8_is_no_key(s3, s3_server, bucket):
    with open(os.fsencode(s3_server.root / bucket) + b"/\xff\xfe", "wb"):  # noqa: PTH123
        pass
    s3.put_object(Bucket=bucket, Key="k")
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["k"]


def test_what_is_neither_file_nor_folder_is_no_key(s3, s3_server, bucket):
    os.mkfifo(s3_server.root / bucket / "pipe")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.get_object(Bucket=bucket, Key="pipe")


def test_a_large_folder_is_read_once_when_it_has_settled(tmp_path: Path, monkeypatch):
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(600):
        (folder / f"{number:04d}").touch()
    scans = []
    scandir = os.scandir
    monkeypatch.setattr("local_emr.s3.listing.os.scandir", lambda path: scans.append(path) or scandir(path))
    folders = Folders()
    just_written = folders.names(str(folder), str(tmp_path))
    assert folders.names(str(folder), str(tmp_path)) == just_written
    assert len(scans) == 2, "a folder changed a moment ago is not to be trusted"
    os.utime(folder, ns=(1, 1_700_000_000_000_000_001))
    assert folders.names(str(folder), str(tmp_path)) is folders.names(str(folder), str(tmp_path))
    assert len(scans) == 3
    (folder / "new").touch()
    assert "new" in folders.names(str(folder), str(tmp_path))


def test_the_memory_for_names_is_bounded(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(Folders, "LARGE", 1)
    monkeypatch.setattr(Folders, "MOST_NAMES", 10)
    folders = Folders()
    for number in range(8):
        folder = tmp_path / str(number)
        folder.mkdir()
        for name in "abcd":
            (folder / name).touch()
        os.utime(folder, (1_700_000_000, 1_700_000_000))
        assert folders.names(str(folder), str(tmp_path)) == ["a", "b", "c", "d"]
    assert len(folders._known) == 2
    assert folders._size == 8


def test_an_etag_is_read_once_when_its_file_has_settled(tmp_path: Path, monkeypatch):
    app = S3(tmp_path)
    folder = tmp_path / "fruits"
    folder.mkdir()
    (folder / "foreign").touch()
    app.put_file("fruits", "ours", b"ours")
    reads = []
    getxattr = os.getxattr
    monkeypatch.setattr("local_emr.s3.metadata.os.getxattr", lambda f, a: reads.append(f) or getxattr(f, a))
    client = Client(app)

    def etags():
        reads.clear()
        return re.findall("&quot;(.*?)&quot;", client.get("/fruits?list-type=2").text)

    first = etags()
    files = [str(folder / "foreign"), str(folder / "ours")]
    assert (etags(), reads) == (first, files), "a file changed a moment ago is not to be trusted"
    monkeypatch.setattr("local_emr.s3.metadata.has_settled", lambda *_: True)
    assert (etags(), reads) == (first, files)
    assert (etags(), reads) == (first, [])
    app.put_file("fruits", "ours", b"new")
    os.setxattr(folder / "foreign", "user.other", b"")
    assert (etags()[1], reads) == (hashlib.md5(b"new", usedforsecurity=False).hexdigest(), files)
    (folder / "ours").write_bytes(b"theirs")
    assert "-" in etags()[1]
    assert reads == files[1:]
    monkeypatch.setattr(MetadataStore, "MOST_ETAGS", 2)
    for number in range(5):
        (folder / str(number)).touch()
    etags()
    assert len(app._store.metadata._etags) <= 2


def test_settled_is_longer_ago_than_a_tick():
    now = 1_700_000_000_000_000_000
    assert has_settled(now - 100_000_001, now)
    assert not has_settled(now - 99_999_999, now)
    assert not has_settled(now - 1_000_000_000, now), "whole seconds: a clock that ticks every second or two"
    assert has_settled(now - 3_000_000_000, now)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="where an open file is, only Linux tells")
def test_a_link_that_comes_in_mid_listing_leads_nowhere(tmp_path: Path, monkeypatch):
    app = S3(tmp_path / "s3")
    (tmp_path / "s3" / "fruits").mkdir()
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in ("a", "b"):
        (outside / name).write_text("secret")
        app.put_file("fruits", f"folder/{name}", b"")

    def swap(path):
        path.rename(tmp_path / path.name)
        path.symlink_to(outside if path.name == "folder" else outside / path.name)

    client = Client(app)
    folder = tmp_path / "s3" / "fruits" / "folder"
    read = listing._read
    for path, left in ((folder / "a", 1), (folder, 0)):
        monkeypatch.setattr(listing, "_read", lambda *at, path=path: (read(*at), swap(path))[0])
        assert client.get("/fruits?list-type=2&prefix=folder/").text.count("<Key>") == left


def test_a_file_that_goes_in_mid_listing_leaves_no_gap(tmp_path: Path, monkeypatch):
    app = S3(tmp_path)
    (tmp_path / "fruits").mkdir()
    for name in "abcd":
        app.put_file("fruits", name, b"")
    read = listing._read
    monkeypatch.setattr(listing, "_read", lambda *at: (read(*at), (tmp_path / "fruits" / "a").unlink())[0])
    page = Client(app).get("/fruits?list-type=2&max-keys=3").text
    assert re.findall("<Key>(.*?)</Key>", page) == ["b", "c", "d"]
    assert "<IsTruncated>false</IsTruncated>" in page


def test_pages_read_only_the_folders_they_are_of(tmp_path: Path, monkeypatch):
    app = S3(tmp_path)
    (tmp_path / "fruits").mkdir()
    for folder, name in itertools.product(range(50), range(4)):
        app.put_file("fruits", f"{folder:02d}/{name}", b"")
    scans = []
    scandir = os.scandir
    monkeypatch.setattr("local_emr.s3.listing.os.scandir", lambda path: scans.append(path) or scandir(path))
    client = Client(app)
    assert client.get("/fruits?list-type=2&prefix=30/").data.count(b"<Contents>") == 4
    assert len(scans) == 1
    scans.clear()
    assert client.get("/fruits?list-type=2&start-after=40/1&max-keys=8").data.count(b"<Contents>") == 8
    assert len(scans) <= 5
