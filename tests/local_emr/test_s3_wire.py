"""What comes over the wire, byte by byte: framed bodies, error documents, hosts, presigned URLs."""

from __future__ import annotations

import base64
import http.client
import os
import socket
import urllib.request
import zlib

import pytest

CONTENT = b"0123456789" * 1000
CRC32 = base64.b64encode(zlib.crc32(CONTENT).to_bytes(4, "big")).decode()


def framed(content, size=4096, signed=True, trailers=()):
    signature = b";chunk-signature=" + b"0" * 64 if signed else b""
    chunks = [content[at : at + size] for at in range(0, len(content), size)]
    body = b"".join(b"%x%s\r\n%s\r\n" % (len(chunk), signature, chunk) for chunk in chunks)
    return body + b"0" + signature + b"\r\n" + b"".join(line.encode() + b"\r\n" for line in trailers) + b"\r\n"


def streaming(kind, **more):
    headers = {"Content-Encoding": "aws-chunked", "x-amz-content-sha256": kind}
    headers["x-amz-decoded-content-length"] = str(len(CONTENT))
    return {**headers, **more}


def test_framed_and_signed(raw, bucket):
    status, answer, _ = raw("PUT", "/fruits/k", framed(CONTENT), streaming("STREAMING-AWS4-HMAC-SHA256-PAYLOAD"))
    assert status == 200, answer
    _, body, headers = raw("GET", "/fruits/k")
    assert body == CONTENT
    assert "Content-Encoding" not in headers


@pytest.mark.parametrize("signed", [True, False])
def test_framed_with_a_trailing_checksum(raw, bucket, signed):
    kind = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" if signed else "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    headers = streaming(kind, **{"x-amz-trailer": "x-amz-checksum-crc32", "Content-Encoding": "gzip,aws-chunked"})
    trailers = [f"x-amz-checksum-crc32:{CRC32}", *(["x-amz-trailer-signature:" + "0" * 64] if signed else [])]
    status, answer, said = raw("PUT", "/fruits/k", framed(CONTENT, signed=signed, trailers=trailers), headers)
    assert (status, said["x-amz-checksum-crc32"]) == (200, CRC32), answer
    _, body, said = raw("GET", "/fruits/k", headers={"x-amz-checksum-mode": "ENABLED"})
    assert (body, said["x-amz-checksum-crc32"], said["Content-Encoding"]) == (CONTENT, CRC32, "gzip")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (framed(CONTENT[:-1], trailers=[f"x-amz-checksum-crc32:{CRC32}"]), b"IncompleteBody"),
        (framed(CONTENT)[:5000], b"IncompleteBody"),
        (framed(CONTENT, trailers=["x-amz-checksum-crc32:AAAAAA=="]), b"BadDigest"),
        (framed(CONTENT), b"MalformedTrailerError"),
        (b"what\r\n" + CONTENT, b"InvalidChunkSizeError"),
        (b"", b"IncompleteBody"),
        (b"-1\r\n\r\n", b"InvalidChunkSizeError"),
    ],
)
def test_framed_wrongly(raw, s3_server, bucket, body, expected):
    raw("PUT", "/fruits/k", b"old")
    headers = streaming("STREAMING-UNSIGNED-PAYLOAD-TRAILER", **{"x-amz-trailer": "x-amz-checksum-crc32"})
    status, answer, _ = raw("PUT", "/fruits/k", body, headers)
    assert status == 400
    assert expected in answer
    assert raw("GET", "/fruits/k")[1] == b"old"
    assert [p.name for p in (s3_server.root / ".s3" / "tmp").rglob("*") if p.is_file()] == ["lock"]


def test_the_payload_hash_that_was_signed(raw, bucket):
    status, answer, _ = raw("PUT", "/fruits/k", b"x", {"x-amz-content-sha256": "0" * 64})
    assert status == 400
    assert b"XAmzContentSHA256Mismatch" in answer


def test_a_put_needs_a_length(raw, bucket):
    status, answer, _ = raw("PUT", "/fruits/k")
    assert (status, b"MissingContentLength" in answer) == (411, True)


def test_transfer_encoding_chunked_is_as_good(raw, bucket):
    body = b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
    connection = http.client.HTTPConnection("127.0.0.1", raw.port, timeout=10)
    connection.putrequest("PUT", "/fruits/k")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders(body)
    assert connection.getresponse().status == 200
    connection.close()
    assert raw("GET", "/fruits/k")[1] == b"hello world"


def test_a_client_that_goes_away_leaves_the_old_object(raw, s3_server, bucket):
    raw("PUT", "/fruits/k", b"old")
    with socket.create_connection(("127.0.0.1", s3_server.port)) as connection:
        connection.sendall(b"PUT /fruits/k HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nnew")
        connection.shutdown(socket.SHUT_WR)
        assert b"IncompleteBody" in b"".join(iter(lambda: connection.recv(65536), b""))
    assert raw("GET", "/fruits/k")[1] == b"old"


def test_expect_100_continue(s3_server, bucket):
    with socket.create_connection(("127.0.0.1", s3_server.port), timeout=10) as connection:
        connection.sendall(b"PUT /fruits/k HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        assert connection.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"new")
        assert b"HTTP/1.1 200 OK" in b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<Delete>",
        b"<Other><Object><Key>k</Key></Object></Other>",
        b'<!DOCTYPE x [<!ENTITY a "b">]><Delete/>',
        b"\xff",
    ],
)
def test_documents_that_are_none(raw, bucket, body):
    raw("PUT", "/fruits/k", b"kept")
    status, answer, _ = raw("POST", "/fruits?delete", body)
    assert (status, b"MalformedXML" in answer) == (400, True)
    assert raw("GET", "/fruits/k")[1] == b"kept"


def test_an_error_is_awss_document(raw, bucket):
    status, answer, headers = raw("GET", "/fruits/none%20%26")
    assert (status, headers["Content-Type"]) == (404, "application/xml")
    assert answer.decode().startswith('<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchKey</Code>')
    assert "<Message>The specified key does not exist.</Message><Key>none &amp;</Key>" in answer.decode()
    assert f"<RequestId>{headers['x-amz-request-id']}</RequestId>" in answer.decode()
    assert raw("HEAD", "/fruits/none")[1] == b""


def test_times_are_whole_seconds(raw, s3_server, bucket):
    file = s3_server.root / bucket / "k"
    file.write_text("x")
    os.utime(file, (1_736_936_625.9, 1_736_936_625.9))
    assert b"<LastModified>2025-01-15T10:23:45.000Z</LastModified>" in raw("GET", "/fruits?list-type=2")[1]
    assert raw("GET", "/fruits/k")[2]["Last-Modified"] == "Wed, 15 Jan 2025 10:23:45 GMT"


def test_keys_that_xml_must_escape(raw, s3_server, bucket):
    s3_server.app.put_file(bucket, "a&b<c>\r\n d", b"")
    assert b"<Key>a&amp;b&lt;c&gt;&#13;&#10; d</Key>" in raw("GET", "/fruits?list-type=2")[1]
    assert b"<Key>a%26b%3Cc%3E%0D%0A%20d</Key>" in raw("GET", "/fruits?list-type=2&encoding-type=url")[1]


@pytest.mark.parametrize(
    "query", ["tagging", "acl", "unknown", "torrent", "retention", "uploads", "select&select-type=2"]
)
def test_a_query_that_is_not_known_never_writes(raw, bucket, query):
    raw("PUT", "/fruits/k", b"kept")
    for method in ("PUT", "DELETE"):
        status, answer, _ = raw(method, f"/fruits/k?{query}", b"<Tagging/>")
        assert (status, b"NotImplemented" in answer) == (501, True)
    assert raw("GET", "/fruits/k")[1] == b"kept"


@pytest.mark.parametrize(
    "host",
    [
        "fruits.localhost:5000",
        "fruits.s3.localhost:5000",
        "fruits.s3.us-east-1.localhost",
        "fruits.s3.amazonaws.com",
        "fruits.s3-eu-west-1.amazonaws.com",
        "fruits.127.0.0.1.nip.io:80",
        "fruits.example.test",
    ],
)
def test_virtual_hosts(raw, bucket, host):
    assert raw("PUT", "/a/k", b"x", {"Host": host})[0] == 200
    assert raw("GET", "/a/k", headers={"Host": host})[1] == b"x"
    assert b"<Key>a/k</Key>" in raw("GET", "/?list-type=2", headers={"Host": host})[1]


@pytest.mark.parametrize(
    "host", ["localhost:1", "127.0.0.1:1", "s3.localhost", "s3.us-east-1.amazonaws.com", "[::1]:1", "my.lan"]
)
def test_other_hosts_are_path_style(raw, bucket, host):
    assert raw("PUT", "/fruits/a/k", b"x", {"Host": host})[0] == 200
    assert b"<Key>a/k</Key>" in raw("GET", "/fruits?list-type=2", headers={"Host": host})[1]


def test_a_bucket_with_dots_by_host(raw):
    assert raw("PUT", "/", b"", {"Host": "my.fruits.localhost"})[0] == 200
    assert raw("PUT", "/k", b"x", {"Host": "my.fruits.s3.localhost"})[0] == 200
    assert raw("GET", "/my.fruits/k")[1] == b"x"


def test_no_query_makes_headers_of_its_own(raw, bucket):
    raw("PUT", "/fruits/k", b"x")
    assert raw("GET", "/fruits/k?response-expires=soon")[2]["Expires"] == "soon"
    status, answer, headers = raw("GET", "/fruits/k?response-expires=soon%0d%0aX-Other:%201")
    assert (status, b"InvalidArgument" in answer, "X-Other" in headers) == (400, True, False)


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_presigned_urls(s3_server, bucket, version):
    s3 = s3_server.client(signature_version=version)
    put = s3.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "a b"})
    urllib.request.urlopen(urllib.request.Request(put, b"bytes", method="PUT")).close()  # noqa: S310
    get = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "a b", "ResponseContentType": "text/csv"})
    with urllib.request.urlopen(get) as answer:  # noqa: S310
        assert (answer.read(), answer.headers["Content-Type"]) == (b"bytes", "text/csv")
