"""The job's two readers and its inspection, on S3 that is asked, counted and made to fail."""

from __future__ import annotations

import collections
import csv
import gzip
import hashlib
import io
import itertools
import os
import re
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import image_inspection
import pytest
import read_fruits_data as job
import s3_listing
from job_errors import JobError
from PIL import Image
from pyspark.sql import SparkSession

from tests.spark_fixture import SCRIPT, Server, put, results, results_file

pytestmark = pytest.mark.spark
ROOT = "s3://bucket/data"
REAL_PATHS = SCRIPT.parent.parent.parent / "shared" / "fruits-real-paths.csv.gz"
ODD_KEYS = [
    "Training/Apple Braeburn/0 100.jpg", 'Training/a,"b"/x,"y".JPG', "Test/Pêche é/ü.Jpeg", "Test/100%20 %2F/b%20c.jpg",
    "Test/a+b&c=d/+.jpg", "Training/[x]{y}*?/#1?.jpg", "Training/back\\slash/~^`|<>.jpg", "Test/ padded / .jpg",
    "Test/c:d/e:f.jpg", "Test/emoji 🍎/🍎.jpg", "Training/x=1/_y=2.jpg", "Training/_metadata/_metadata.jpg",
    # out of place
    "stray.jpg", "Training/stray.jpg", "Test/Kiwi/deep/er/stray.jpg", "Validation/Kiwi/a.jpg", "training/Kiwi/a.jpg",
    # hidden, and no image
    "Test/Kiwi/._0.jpg", "Test/Kiwi/_0.jpg", "Test/.hidden/a.jpg", "Test/_hidden/a.jpg", "notes.txt", "Test/Kiwi/a.png",
]  # fmt: skip


def fill(folder: Path, names: list[str]) -> None:
    """Make very many files quickly: links to a few, for a file may have some 65,000."""
    folder.mkdir(parents=True)
    for at, name in enumerate(names):
        if at % 30_000 == 0:
            put(folder, name)
            first = folder / name
        else:
            os.link(first, folder / name)


def listed(*folders: str) -> list[str]:
    """List folders of s3://bucket as a task does; gives the keys below them, in order."""
    top = s3_listing.Folder("s3://bucket", s3_listing.s3_options("s3://bucket"))
    batches = s3_listing.list_folders(top, folders)
    return sorted(path.removeprefix("s3://bucket/") for batch in batches for path in batch.column(0).to_pylist())


def test_both_readers_write_the_same_bytes(spark: SparkSession, s3: Server, tmp_path: Path) -> None:
    data = put(s3.empty() / "data", *ODD_KEYS)
    put(data, "Test/Zero/empty.jpg", content=b"", mtime=1_736_936_626)
    os.utime(data / "Test/c:d/e:f.jpg", (1_736_936_625.999, 1_736_936_625.999))  # a time that could be rounded up
    (data / "Training/Nothing here").mkdir()
    for reader in ("listing", "binaryfile"):
        job.run(spark, f"{ROOT}/", str(tmp_path / reader), reader)
    for table in ("metadata", "stats"):
        one, other = (results_file(tmp_path / reader, table).read_bytes() for reader in ("listing", "binaryfile"))
        assert one == other
    rows = results(tmp_path / "listing", "metadata")[1:]
    assert [row[0] for row in rows] == sorted(
        (f"{ROOT}/{key}" for key in [*ODD_KEYS[:12], "Test/Zero/empty.jpg"]),
        key=lambda path: [part.encode() for part in path.split("/")],
    )


def test_listing_asks_once_a_folder_and_thousand_files(spark: SparkSession, s3: Server) -> None:
    data = s3.empty() / "data"
    for label in range(20):
        fill(data / f"Training/L{label}", [f"{at}.jpg" for at in range(100)])
    fill(data / "Test/Large", [f"{at:05}.jpg" for at in range(2_500)])
    s3.requests.clear()
    assert s3_listing.read_listing(spark, ROOT).count() == 4_500
    assert len(s3.requests) == 3 + 20 + 3
    assert all(request.startswith("GET /bucket?") for request in s3.requests)


@pytest.mark.parametrize(
    ("name", "most"),
    [(lambda at: f"IMG_{at:08}.jpg", 60), (lambda at: f"{at}_100.jpg", 60), (lambda at: f"r_{at % 7}_{at}.jpg", 60),
     (lambda at: hashlib.sha256(str(at).encode()).hexdigest() + ".jpg", 60), (lambda at: f"%é#{at:06}.jpg", 26),
     (lambda at: f"deep/{at % 3}/{at:05}.jpg", 60), (lambda at: f"Z{at:06}" if at % 2 else f"a{at:06}", 60)],
    ids=["counted", "unpadded", "two numbers", "hashes", "odd characters", "deep", "two series"],
)  # fmt: skip
def test_a_large_folder_is_listed_in_parts_that_join(s3: Server, name: Callable[[int], str], most: int) -> None:
    data = s3.empty() / "data"
    names = [name(at) for at in range(25_000)]
    for folder in {os.path.dirname(name) for name in names}:  # noqa: PTH120 - of names, not of files
        inside = [name.rpartition("/")[2] for name in names if os.path.dirname(name) == folder]  # noqa: PTH120
        fill(data / folder, inside)
    s3.requests.clear()
    assert listed("data") == sorted(f"data/{name}" for name in names)
    assert 25 <= len(s3.requests) <= most


def test_100_000_files_in_one_folder(spark: SparkSession, s3: Server, tmp_path: Path) -> None:
    fill(s3.empty() / "data/Training/All", [f"{at}.jpg" for at in range(100_000)])
    s3.requests.clear()
    job.run(spark, ROOT, str(tmp_path))
    assert results(tmp_path, "stats") == [["split", "label", "count"], ["Training", "All", "100000"]]
    assert len({row[0] for row in results(tmp_path, "metadata")}) == 100_001
    assert len(s3.requests) < 160


@pytest.mark.skipif(not REAL_PATHS.exists(), reason="the list of real paths is not beside this repository")
def test_all_the_real_paths_with_their_sizes(spark: SparkSession, s3: Server, tmp_path: Path) -> None:
    with gzip.open(REAL_PATHS, "rt", encoding="utf-8", newline="") as file:
        sizes = {row["path"]: int(row["size"]) for row in csv.DictReader(file)}
    data = s3.empty() / "data"
    for path, size in sizes.items():
        (data / path).parent.mkdir(parents=True, exist_ok=True)
        with (data / path).open("wb") as file:
            file.truncate(size)
    s3.requests.clear()
    job.run(spark, ROOT, str(tmp_path))
    classes = collections.Counter(tuple(path.split("/")[:2]) for path in sizes)
    assert {(split, label): int(count) for split, label, count in results(tmp_path, "stats")[1:]} == classes
    found = {row[0].removeprefix(f"{ROOT}/"): int(row[5]) for row in results(tmp_path, "metadata")[1:]}
    assert found == sizes
    assert len(s3.requests) < 0.01 * len(sizes)


def test_slow_down_and_broken_answers_are_retried(s3: Server) -> None:
    fill(s3.empty() / "data", [f"{at:04}.jpg" for at in range(3_000)])
    ill = iter([("503 Slow Down", b"<Error><Code>SlowDown</Code></Error>"), ("500 Internal Server Error", b"")])
    s3.requests.clear()
    s3.fault = lambda request: next(ill, None) if "continuation-token" in request else None
    assert len(listed("data")) == 3_000
    assert len(s3.requests) == 3 + 2


def test_what_still_fails_names_the_folder(spark: SparkSession, s3: Server, tmp_path: Path) -> None:
    put(s3.empty() / "data", *(f"Training/L{at}/a.jpg" for at in range(10)))
    denied = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
    s3.fault = lambda request: ("403 Forbidden", denied) if "L7%2F" in request else None
    with pytest.raises(JobError) as raised:
        job.run(spark, ROOT, str(tmp_path))
    assert str(raised.value) == f"cannot read {ROOT}: cannot list {ROOT}/Training/L7/: AccessDenied: Access Denied"
    assert not list(tmp_path.iterdir())


def picture(kind: str = "JPEG", size: tuple[int, int] = (100, 100), shade: int = 0) -> bytes:
    """Draw an image."""
    content = io.BytesIO()
    Image.effect_noise(size, 10 + shade).convert("RGB").save(content, kind)
    return content.getvalue()


def test_inspection(spark: SparkSession, s3: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data, whole, twice = s3.empty() / "data", picture(), picture(shade=1)
    contents = {
        "Training/A/same.jpg": whole, "Test/A/same.jpg": whole, "Training/A/1%20.jpg": twice, "Training/A/2.jpg": twice,
        "Test/A/cut.jpg": picture()[:-900], "Test/A/small.jpg": picture(size=(30, 20)), "Test/A/text.jpg": b"hello",
        "Test/A/png.jpg": picture("PNG"), "Test/A/empty.jpg": b"",
    }  # fmt: skip
    contents.update({f"Training/B/{at}.jpg": picture(shade=at + 2) for at in range(80)})
    for key, content in contents.items():
        put(data, key, content=content)
    s3.requests.clear()
    job.run(spark, ROOT, str(tmp_path / "listing"), inspect=True)
    assert sum("GET /bucket/data/" in request for request in s3.requests) == len(contents) - 1
    job.run(spark, ROOT, str(tmp_path / "binaryfile"), "binaryfile", inspect=True)
    one, other = (results_file(tmp_path / reader, "inspection").read_bytes() for reader in ("listing", "binaryfile"))
    assert one == other

    header, *rows = results(tmp_path / "listing", "inspection")
    assert header == [
        "s3_path",
        "label",
        "split",
        "width",
        "height",
        "mode",
        "sha256",
        "problem",
        "copies",
        "copies_in",
    ]
    found = {row[0].removeprefix(f"{ROOT}/"): row[3:] for row in rows}
    sha = {key: hashlib.sha256(content).hexdigest() for key, content in contents.items()}
    assert found.keys() == contents.keys()
    assert found["Training/B/7.jpg"] == ["100", "100", "RGB", sha["Training/B/7.jpg"], "", "1", ""]
    assert found["Test/A/same.jpg"] == ["100", "100", "RGB", sha["Test/A/same.jpg"], "", "2", "Test+Training"]
    assert found["Training/A/1%20.jpg"] == ["100", "100", "RGB", sha["Training/A/2.jpg"], "", "2", "Training"]
    assert found["Test/A/small.jpg"][4:6] == ["unexpected size 30x20", "1"]
    assert found["Test/A/png.jpg"][4] == "not a JPEG but PNG"
    assert found["Test/A/text.jpg"] == ["", "", "", sha["Test/A/text.jpg"], "not an image", "1", ""]
    assert found["Test/A/empty.jpg"] == ["", "", "", "", "empty", "", ""]
    assert found["Test/A/cut.jpg"][:3] == ["100", "100", "RGB"]
    assert re.match("damaged: .*truncated", found["Test/A/cut.jpg"][4])
    assert "1 pictures more than once in Test+Training  <- warning" in capfd.readouterr().out


def test_an_image_that_went_away_is_reported_and_a_failing_s3_is_not(spark: SparkSession, s3: Server) -> None:
    put(s3.empty() / "data", "Test/A/a.jpg")
    store = s3_listing.Folder("s3://bucket", s3_listing.s3_options("s3://bucket")).store()
    assert image_inspection.describe_object(store, f"{ROOT}/gone.jpg", "data/gone.jpg", 4)[-1].startswith(
        "cannot be read: NoSuchKey"
    )
    s3.fault = lambda request: (
        "400 Bad Request",
        b"<Error><Code>ExpiredToken</Code><Message>Expired</Message></Error>",
    )
    with pytest.raises(JobError, match=r"^cannot read s3://bucket/data/Test/A/a.jpg: ExpiredToken: Expired$"):
        image_inspection.describe_object(store, f"{ROOT}/Test/A/a.jpg", "data/Test/A/a.jpg", 4)


def test_the_region_is_the_instances_and_then_the_buckets() -> None:
    class Amazon(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self.answer(200, b"token" if self.path == "/api/token" else b"")

        def do_GET(self) -> None:
            known = self.path == "/meta-data/placement/region" and self.headers["X-aws-ec2-metadata-token"] == "token"
            self.answer(200 if known else 401, b"eu-west-1")

        def do_HEAD(self) -> None:
            self.answer(403, b"")

        def answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("x-amz-bucket-region", "eu-west-3")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body if self.command != "HEAD" else b"")

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Amazon)
    Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    assert s3_listing.instance_region(address) == "eu-west-1"
    assert s3_listing.bucket_region("bucket", "eu-west-1", address) == "eu-west-3"
    server.shutdown()
    server.server_close()
    assert s3_listing.instance_region(address) is None
    assert s3_listing.bucket_region("bucket", "eu-west-1", address) == "eu-west-1"


def test_divided_parts_join() -> None:
    part = s3_listing.Part("s3://bucket", None, None, after="a", until="zz")
    parts = sorted(s3_listing.divide(part, "img_0100", "img_0199"), key=lambda part: part.until)
    assert parts[0].after == "a"
    assert parts[-1].until == "zz"
    assert all(one.until == two.after for one, two in itertools.pairwise(parts))
    assert len(parts) == 1 + 8 + 9
