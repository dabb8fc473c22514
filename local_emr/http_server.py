"""A threaded HTTP/1.1 server for one WSGI application, with keep-alive.

werkzeug's server closes the connection after every response, and a client of S3 makes thousands of requests: this one
keeps it, drains what the application left unread, and understands chunked bodies and `Expect: 100-continue`.
"""

import io
import itertools
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from email.utils import formatdate
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote_to_bytes

StartResponse = Callable[..., Callable[[bytes], object]]  # (status, headers, exc_info=None)
Application = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]  # WSGI, PEP 3333

UNDERSCORED = "moto.preserved_header_names"  # {WSGI's name: the header's own}, as moto's server, too, hands it on
IDLE_SECONDS = 120  # a silent connection is closed after this
CHUNK = 1 << 16
MOST_HEADERS = 100
VERSION = re.compile(r"HTTP/1\.[01]")


class HttpServer(ThreadingHTTPServer):
    """Serves `application` on 127.0.0.1; port 0 means any free one."""

    daemon_threads = True
    block_on_close = False  # an idle connection does not hold up the end
    request_queue_size = 128

    def __init__(self, port: int, application: Application, log_requests: bool = False) -> None:
        self.application = application
        self.log_requests = log_requests
        super().__init__(("127.0.0.1", port), Handler)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in mid-request is not news."""
        if not isinstance(sys.exc_info()[1], OSError):
            traceback.print_exc()


class Handler(BaseHTTPRequestHandler):
    """One connection: its requests, one after another."""

    protocol_version = "HTTP/1.1"
    server_version = "local-emr"
    sys_version = ""
    disable_nagle_algorithm = True  # else head and body of a response wait for each other's ACK
    wbufsize = CHUNK
    timeout = IDLE_SECONDS
    server: HttpServer

    def handle_one_request(self) -> None:
        try:
            self.raw_requestline = self.rfile.readline(CHUNK + 1)
            if len(self.raw_requestline) > CHUNK:
                self.requestline = self.request_version = self.command = ""
                self.send_error(414)
            elif not self.raw_requestline:
                self.close_connection = True
            elif self.parse_request():
                self._respond()
            self.wfile.flush()
        except (TimeoutError, ConnectionError):
            self.close_connection = True

    def parse_request(self) -> bool:
        """What the base class does; but it reads headers as an email's, at a fifth of the cost of a whole GET."""
        self.close_connection = True
        self.command, self.request_version = "", "HTTP/1.1"
        self.requestline = self.raw_requestline.decode("latin-1").rstrip("\r\n")
        words = self.requestline.split(" ")
        if len(words) != 3 or not VERSION.fullmatch(words[2]):
            self.send_error(400, "Bad request line")
            return False
        self.command, self.path, self.request_version = words
        if self.path.startswith("//"):  # of clients whose endpoint ends with a /
            self.path = "/" + self.path.lstrip("/")
        try:
            self.variables = header_variables(read_headers(self.rfile))
        except ValueError as error:
            self.send_error(int(error.args[0]))
            return False
        connection = self.variables.get("HTTP_CONNECTION", "").lower()
        self.close_connection = "close" in connection or (words[2] == "HTTP/1.0" and "keep-alive" not in connection)
        expected = self.variables.get("HTTP_EXPECT", "").lower() == "100-continue" and words[2] != "HTTP/1.0"
        return self.handle_expect_100() if expected else True

    def handle_expect_100(self) -> bool:
        super().handle_expect_100()
        self.wfile.flush()
        return True

    def log_message(self, format: str, *args: Any) -> None:
        if self.server.log_requests:
            super().log_message(format, *args)

    def _respond(self) -> None:
        try:
            body = self._body()
        except ValueError:
            self.close_connection = True
            self.send_error(400, "Bad Content-Length")
            return
        response = Response(self)
        try:
            chunks = self.server.application(self._environ(body), response.start)
            response.send(chunks)
        except OSError:
            raise
        except Exception:
            traceback.print_exc()  # an application that raises is a fault of ours: it goes to the server's log
            self.close_connection = True
            if not response.sent:
                self.send_error(500)
        if not self.close_connection:
            self.close_connection = not body.drain()

    def _body(self) -> "Body":
        if "chunked" in self.variables.get("HTTP_TRANSFER_ENCODING", "").lower():
            return ChunkedBody(self.rfile)
        return Body(self.rfile, int(self.variables.get("CONTENT_LENGTH") or 0))

    def _environ(self, body: "Body") -> dict[str, Any]:
        path, _, query = self.path.partition("?")
        if "://" in path.partition("/")[0] + path[:8]:  # absolute form, as a proxy's client sends it
            path = "/" + path.split("://", 1)[1].partition("/")[2]
        environ: dict[str, Any] = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),  # WSGI's rule: bytes, carried as latin-1
            "QUERY_STRING": query,
            "RAW_URI": self.path,  # S3 keys need it: PATH_INFO has lost the difference between %2F and /
            "REQUEST_URI": self.path,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": str(self.server.port),
            "SERVER_PROTOCOL": self.request_version,
            "REMOTE_ADDR": self.client_address[0],
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO() if body.ended else io.BufferedReader(body, CHUNK),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "wsgi.input_terminated": True,
        }
        return environ | self.variables


def read_headers(source: Any) -> list[tuple[str, str]]:
    """The headers of a request, in order; ValueError, with the status to answer, for what are none."""
    headers: list[tuple[str, str]] = []
    while (line := source.readline(CHUNK + 1)) not in (b"\r\n", b"\n", b""):
        if len(line) > CHUNK or len(headers) == MOST_HEADERS:
            raise ValueError(431)
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon or not name or name != name.strip():  # a line that goes on with the last is long out of use
            raise ValueError(400)
        headers.append((name, value.strip()))
    return headers


def header_variables(headers: list[tuple[str, str]]) -> dict[str, Any]:
    """Headers as WSGI names them. It cannot tell `_` from `-`, and S3's metadata may have both: see UNDERSCORED."""
    variables: dict[str, Any] = {}
    underscored: dict[str, str] = {}
    for name, value in headers:
        key = _variable(name)
        if "_" in name:
            if any(_variable(other) == key for other, _ in headers if "_" not in other):
                continue  # it must not stand in for the dashed one
            underscored[key] = name
        variables[key] = f"{variables[key]},{value}" if key in variables else value
    variables[UNDERSCORED] = underscored
    return variables


@lru_cache(maxsize=256)
def _variable(name: str) -> str:
    key = name.upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"


class Body(io.RawIOBase):
    """A request's body: a stream that ends where the body ends."""

    def __init__(self, source: Any, length: int) -> None:
        if length < 0:
            raise ValueError(length)
        self.source, self.left = source, length

    @property
    def ended(self) -> bool:
        return not self.left

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._take(memoryview(buffer)[: self.left])

    def _take(self, view: memoryview) -> int:
        count = self.source.readinto(view) if view else 0
        self.left -= count
        if view and not count:
            raise ConnectionError("the client went away in mid-body")
        return int(count)

    def drain(self) -> bool:
        """Read what the application left, so that the next request can be read; False if that is too much."""
        return self.ended or any(not self.read(CHUNK) for _ in range(256))


class ChunkedBody(Body):
    """A body in `Transfer-Encoding: chunked`."""

    def __init__(self, source: Any) -> None:
        super().__init__(source, 0)
        self.started = self.is_last = False

    @property
    def ended(self) -> bool:
        return self.is_last

    def readinto(self, buffer: Any) -> int:
        if not self.left and not self.ended:
            self._next_chunk()
        return self._take(memoryview(buffer)[: self.left])

    def _next_chunk(self) -> None:
        if self.started:
            self.source.readline()  # the line end after a chunk's data
        self.started = True
        size = self.source.readline().partition(b";")[0].strip()
        if not size:
            raise ConnectionError("the client went away in mid-body")
        self.left = int(size, 16)
        if not self.left:
            self.is_last = True
            while self.source.readline().strip():  # trailers
                pass


class Response:
    """What the application answers, written to the connection."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.status, self.headers = "", list[tuple[str, str]]()
        self.sent = False

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
        """WSGI's start_response."""
        self.status, self.headers = status, headers
        return self._write_early

    def send(self, chunks: Iterable[bytes]) -> None:
        """Send the head, then each chunk as it comes."""
        try:
            pieces = iter(chunks)
            first = next(pieces, b"")  # an application may call start_response only when it is first asked for data
            chunked = self._send_head()
            if chunked is None:
                return
            write = self.handler.wfile.write
            for data in itertools.chain([first], pieces):
                if data:
                    write(b"%x\r\n%b\r\n" % (len(data), data) if chunked else data)
            if chunked:
                write(b"0\r\n\r\n")
        finally:
            if close := getattr(chunks, "close", None):
                close()

    def _send_head(self) -> bool | None:
        """Status line and headers; whether the body is to be sent chunked, None when there is to be no body."""
        handler = self.handler
        code, _, reason = self.status.partition(" ")
        chunked = "content-length" not in {name.lower() for name, _ in self.headers}
        bodiless = handler.command == "HEAD" or code in ("204", "304")
        if chunked and not bodiless and handler.request_version == "HTTP/1.0":
            chunked, handler.close_connection = False, True
        handler.log_request(code)
        lines = [f"HTTP/1.1 {code} {reason}", f"Server: {handler.server_version}", f"Date: {_date(int(time.time()))}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        if chunked and not bodiless:
            lines.append("Transfer-Encoding: chunked")
        if handler.close_connection:
            lines.append("Connection: close")
        head = "\r\n".join([*lines, "", ""])
        if head.count("\n") + head.count("\r") != 2 * len(lines) + 2:
            raise ValueError("a header with a line end in it")
        handler.wfile.write(head.encode("latin-1"))
        self.sent = True
        return None if bodiless else chunked

    def _write_early(self, data: bytes) -> object:
        raise NotImplementedError("WSGI's write() is not used here")


@lru_cache(maxsize=2)
def _date(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)
