"""connect(settings) -> Clients: the only module that makes a boto3 client.

The endpoint is all that differs between AWS and local EMR. Local never reaches AWS: its credentials are dummies and
its endpoint is explicit. AWS never reaches local: an AWS_ENDPOINT_URL left in the shell is ignored.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config

from scripts.config import Settings
from scripts.errors import doing

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_emr import EMRClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sts import STSClient

PARALLEL = 16
"""Requests at once, where a verb has many to make; each client's connection pool holds that many."""

# Adaptive: also slows itself down when AWS says "Rate exceeded". Two runs of one account share the published rates.
_COMMON: dict[str, Any] = {
    "retries": {"mode": "adaptive", "total_max_attempts": 6},
    "connect_timeout": 10,
    "read_timeout": 60,
    "max_pool_connections": PARALLEL,
    "ignore_configured_endpoint_urls": True,
    "user_agent_extra": "fruits-on-emr",
}


class Clients:
    """The boto3 clients of one target, each made when it is first used (EC2's model alone takes 0.2 s to load)."""

    def __init__(self, make_session: Callable[[], boto3.Session], config: Config, endpoint_url: str | None) -> None:
        self._make_session, self._config, self._endpoint_url = make_session, config, endpoint_url
        self._session = make_session()

    def renew(self) -> None:
        """Forget the clients and their credentials: the next call reads the profile or the environment afresh."""
        for name in ("emr", "emr_once", "s3", "ec2", "iam", "sts"):
            self.__dict__.pop(name, None)
        with doing("reading the AWS profile"):
            self._session = self._make_session()

    @cached_property
    def emr(self) -> EMRClient:
        return self._session.client("emr", config=self._config, endpoint_url=self._endpoint_url)

    @cached_property
    def emr_once(self) -> EMRClient:
        """For RunJobFlow and AddJobFlowSteps: a lost answer must not make botocore ask for a second cluster."""
        once = self._config.merge(Config(retries={"mode": "standard", "total_max_attempts": 1}))
        return self._session.client("emr", config=once, endpoint_url=self._endpoint_url)

    @cached_property
    def s3(self) -> S3Client:
        return self._session.client("s3", config=self._config, endpoint_url=self._endpoint_url)

    @cached_property
    def ec2(self) -> EC2Client:
        return self._session.client("ec2", config=self._config, endpoint_url=self._endpoint_url)

    @cached_property
    def iam(self) -> IAMClient:
        return self._session.client("iam", config=self._config, endpoint_url=self._endpoint_url)

    @cached_property
    def sts(self) -> STSClient:
        return self._session.client("sts", config=self._config, endpoint_url=self._endpoint_url)


def connect(settings: Settings) -> Clients:
    """The clients for the target of `settings`; no call is made yet.

    Raises:
        AwsError: the profile does not exist, or the AWS configuration files cannot be read.
    """
    with doing("reading the AWS profile"):
        if settings.endpoint_url:
            # The chain is cut: no profile, no credentials file, no proxy, or local EMR would be asked with real keys.
            return Clients(lambda: _local_session(settings), Config(**_COMMON, proxies={}), settings.endpoint_url)
        return Clients(lambda: _aws_session(settings), Config(**_COMMON), None)


def _local_session(settings: Settings) -> boto3.Session:
    nothing = dict.fromkeys(("config_file", "credentials_file"), (None, None, os.devnull, None))
    core = botocore.session.Session(session_vars={"profile": (None, None, None, None), **nothing})
    return boto3.Session("local", "local", region_name=settings.aws_region, botocore_session=core)


def _aws_session(settings: Settings) -> boto3.Session:
    return boto3.Session(region_name=settings.aws_region, profile_name=settings.aws_profile or None)
