"""S3 over plain folders: `S3(root)` is a WSGI application."""

from local_emr.s3.app import S3
from local_emr.s3.errors import S3Error

__all__ = ["S3", "S3Error"]
