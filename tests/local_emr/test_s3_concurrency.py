"""Many at the same time, and a server killed in the middle of it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

from local_emr.s3 import S3

CHECKOUT = Path(__file__).parents[2]


def test_readers_see_the_old_object_or_the_new_one(raw, s3_server, bucket):
    versions = [bytes([digit]) * 300_000 for digit in b"0123456789"]
    app = s3_server.app
    app.put_file(bucket, "k", versions[0])
    done = threading.Event()
    wrong = []

    def read():
        while not done.is_set():
            status, body, headers = raw("GET", "/fruits/k")
            if status != 200 or body not in versions or int(headers["Content-Length"]) != len(body):
                wrong.append((status, len(body), set(body)))

    readers = [threading.Thread(target=read) for _ in range(7)]
    for reader in readers:
        reader.start()
    for _ in range(4):
        for version in versions:
            assert raw("PUT", "/fruits/k", version)[0] == 200
    done.set()
    for reader in readers:
        reader.join()
    assert wrong == []


def test_only_one_of_many_creates_the_key(raw, bucket):
    statuses = []
    gate = threading.Barrier(8)

    def create(number):
        gate.wait()
        statuses.append(raw("PUT", "/fruits/lock", b"%d" % number, {"If-None-Match": "*"})[0])

    threads = [threading.Thread(target=create, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + [412] * 7


def test_folders_come_and_go_under_each_other(raw, s3_server, bucket):
    app = s3_server.app
    failed = []

    def put_and_delete(number):
        for _ in range(30):
            path = f"/fruits/a/b/{number}"
            if (raw("PUT", path, b"x")[0], raw("DELETE", path)[0]) != (200, 204):
                failed.append(number)

    threads = [threading.Thread(target=put_and_delete, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert list(app.path_of(bucket, "x").parent.iterdir()) == []


def test_reads_take_turns_but_nobody_waits_for_another_s_client(raw, s3_server, bucket, monkeypatch):
    app = s3_server.app
    app.put_file(bucket, "large", bytes(50_000_000))
    app.put_file(bucket, "small", b"small")
    taken = []
    scandir = os.scandir
    monkeypatch.setattr("local_emr.s3.listing.os.scandir", lambda p: taken.append(app._reading.locked()) or scandir(p))
    with socket.create_connection(("127.0.0.1", s3_server.port)) as connection:
        connection.sendall(b"GET /fruits/large HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(12)  # and the rest is left unread: it is far more than sockets hold
        assert raw("GET", "/fruits/small")[1] == b"small"
        assert raw("GET", "/fruits?list-type=2")[1].count(b"<Key>") == 2
    assert taken == [True]
    assert not app._reading.locked()


SERVE = """
import sys
from pathlib import Path
from werkzeug.serving import make_server
from local_emr.s3 import S3
server = make_server("127.0.0.1", 0, S3(Path(sys.argv[1])), threaded=True)
print(server.port, flush=True)
server.serve_forever()
"""


def test_killed_in_mid_put(tmp_path):
    (tmp_path / "fruits").mkdir()
    (tmp_path / "fruits" / "k").write_bytes(b"old")
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, tmp_path],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert process.stdout
        port = int(process.stdout.readline())
        with socket.create_connection(("127.0.0.1", port)) as connection:
            head = b"PUT /fruits/k HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n"
            connection.sendall(head + b"n" * 3_000_000)
            while not (half := [p for p in tmp_path.glob(".s3/tmp/*/*") if p.name != "lock" and p.stat().st_size]):
                pass
            S3(tmp_path)  # another start while that one lives leaves its files alone
            assert half[0].exists()
            process.send_signal(signal.SIGKILL)
            process.wait()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert (tmp_path / "fruits" / "k").read_bytes() == b"old"
    S3(tmp_path)
    assert not half[0].exists()
