"""XML as S3 writes and reads it. Written as strings: a page of a listing has 1,000 entries, and a tree is slow."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from functools import lru_cache
from urllib.parse import quote
from xml.etree import ElementTree

from local_emr.s3.errors import S3Error

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
HEADER = '<?xml version="1.0" encoding="UTF-8"?>\n'
_SPECIAL = re.compile(r"[&<>\"\x00-\x1f]")
_NOT_PLAIN_IN_URLS = re.compile(r"[^A-Za-z0-9_.~/-]+")


def escape(text: str) -> str:
    """`text` as an element's content; control characters as AWS sends them, as references."""
    if not _SPECIAL.search(text):
        return text
    return _SPECIAL.sub(_reference, text)


def _reference(match: re.Match[str]) -> str:
    named = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}
    return named.get(match[0]) or f"&#{ord(match[0])};"


def url_encoded(text: str) -> str:
    """`text` as `encoding-type=url` wants it."""
    return _NOT_PLAIN_IN_URLS.sub(lambda match: quote(match[0]), text)


def element(tag: str, value: object) -> str:
    return f"<{tag}>{escape(str(value))}</{tag}>"


def document(tag: str, body: str = "") -> str:
    return f'{HEADER}<{tag} xmlns="{NAMESPACE}">{body}</{tag}>'


@lru_cache(maxsize=4096)
def timestamp(seconds: int) -> str:
    """S3 tells whole seconds, though its format has a place for milliseconds."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def parse(body: bytes) -> ElementTree.Element:
    """A request's document. One with a DTD is refused: entities could make it grow without end."""
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise S3Error("MalformedXML")
    try:
        return ElementTree.fromstring(body)  # noqa: S314 - no DTD gets here
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise S3Error("MalformedXML") from error


def text_of(parent: ElementTree.Element, tag: str) -> str | None:
    """The text of a child, whatever its namespace: some clients send none."""
    child = parent.find(f"{{*}}{tag}")
    return None if child is None else (child.text or "")
