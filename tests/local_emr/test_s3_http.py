"""The HTTP server that S3 is behind: requests that are none, connections that are kept, headers as WSGI names them."""

from __future__ import annotations

import io
import json
import socket
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from local_emr.http_server import MOST_HEADERS, UNDERSCORED, HttpServer, StartResponse, header_variables, read_headers


def echo(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    """What the application was handed, or the header that the query asks for."""
    said = {name: value for name, value in environ.items() if isinstance(value, str)}
    if environ["REQUEST_METHOD"] == "PUT":
        said["body"] = environ["wsgi.input"].read().decode()
    body = json.dumps(said).encode()
    extra = [("X-Asked", environ["PATH_INFO"])] if environ["QUERY_STRING"] else []
    start_response("200 OK", [("Content-Length", str(len(body))), *extra])
    return [body]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = HttpServer(0, echo)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server.port
    server.shutdown()
    thread.join()
    server.server_close()


def answers(port: int, sent: bytes) -> list[tuple[bytes, bytes]]:
    """(head, body) of all that comes back before the connection ends."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        rest = b"".join(iter(lambda: connection.recv(65536), b""))
    found = []
    while rest:
        head, _, rest = rest.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0] or len(rest))
        found.append((head, rest[:length]))
        rest = rest[length:]
    return found


GET = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /\r\n\r\n", b"400"),
        (b"GET / HTTP/2.0\r\n\r\n", b"400"),
        (b"GET / x HTTP/1.1\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"400"),  # a client that wants TLS
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", b"431"),
        (b"GET / HTTP/1.1\r\n" + b"X: x\r\n" * (MOST_HEADERS + 1) + b"\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nA: x\r\n goes on\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nContent-Length : 5\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nContent-Length: five\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", b"400"),
    ],
)
def test_what_is_no_request_is_refused_and_nothing_after_it_is_taken_for_one(
    port: int, sent: bytes, status: bytes
) -> None:
    ((head, _),) = answers(port, sent + GET)
    assert head.split()[1] == status
    assert b"\r\nConnection: close" in head


def test_a_connection_is_kept_until_either_side_has_said_that_it_ends(port: int) -> None:
    put = b"PUT /b HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"
    unread = b"POST /c HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nunread"
    chunked = b"POST /d HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nxx\r\n0\r\n\r\n"
    last = b"GET /e HTTP/1.1\r\nHost: x\r\nConnection: Close\r\n\r\n"
    found = answers(port, GET + put + unread + chunked + last + GET)
    assert [json.loads(body)["PATH_INFO"] for _, body in found] == ["/a", "/b", "/c", "/d", "/e"]
    assert json.loads(found[1][1])["body"] == "body"
    assert [b"Connection: close" in head for head, _ in found] == [False] * 4 + [True]
    assert len(answers(port, GET.replace(b"1.1", b"1.0") + GET)) == 1


def test_a_client_that_asks_is_told_to_go_on(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: 4\r\n\r\n")
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"body")
        assert b'"body": "body"' in connection.recv(65536)


def test_a_path_is_handed_on_as_it_was_sent(port: int) -> None:
    ((_, body),) = answers(port, b"GET //a%2Fb//c?d=%20 HTTP/1.1\r\nHost: x\r\n\r\n")
    said = json.loads(body)
    assert (said["RAW_URI"], said["PATH_INFO"], said["QUERY_STRING"]) == ("/a%2Fb//c?d=%20", "/a/b//c", "d=%20")


def test_no_header_of_an_answer_can_end_it_and_begin_another(port: int, capsys: pytest.CaptureFixture[str]) -> None:
    ((head, _),) = answers(port, b"GET /%0d%0aX-Other:%201?ask HTTP/1.1\r\nHost: x\r\n\r\n")
    assert head.split()[1] == b"500"
    assert b"X-Other" not in head
    assert "a header with a line end" in capsys.readouterr().err


def test_headers_as_wsgi_names_them() -> None:
    lines = [b"Content-Type:text/csv \r\n", b"x-a:\t1\n", b"X-A: \xe9\r\n", b"x-meta-b_c: 2\r\n", b"\r\n", b"body: 1"]
    headers = read_headers(io.BytesIO(b"".join(lines)))
    assert headers == [("Content-Type", "text/csv"), ("x-a", "1"), ("X-A", "é"), ("x-meta-b_c", "2")]
    assert header_variables([*headers, ("Content_Type", "text/html")]) == {
        "CONTENT_TYPE": "text/csv",
        "HTTP_X_A": "1,é",
        "HTTP_X_META_B_C": "2",
        UNDERSCORED: {"HTTP_X_META_B_C": "x-meta-b_c"},
    }
