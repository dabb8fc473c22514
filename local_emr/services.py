"""EC2, IAM, STS and what else moto has, as one WSGI application, with what a new account of EMR's has made beforehand.

moto takes most of a second to import, and has no locks: it is loaded in the background, and its requests are served
one at a time. We talk to it as any client does, by AWS's query protocol, so that its insides are no concern of ours.
"""

import io
import sys
import threading
import traceback
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from local_emr.http_server import Application, StartResponse

KEY_PAIR = "local-emr"
SECURITY_GROUPS = ("ElasticMapReduce-master", "ElasticMapReduce-slave")
FIRST_REGION = "eu-west-1"
# The roles that `aws emr create-default-roles` makes, and those of its second version, by who may assume them.
ROLES = {
    "EMR_DefaultRole": "elasticmapreduce.amazonaws.com",
    "EMR_DefaultRole_V2": "elasticmapreduce.amazonaws.com",
    "EMR_AutoScaling_DefaultRole": "application-autoscaling.amazonaws.com",
    "EMR_EC2_DefaultRole": "ec2.amazonaws.com",
    "EMR_EC2_DefaultRole_V2": "ec2.amazonaws.com",
}
INSTANCE_PROFILES = ("EMR_EC2_DefaultRole", "EMR_EC2_DefaultRole_V2")
VERSIONS = {"iam": "2010-05-08", "ec2": "2016-11-15"}
TRUST = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"%s"},"Action":"sts:AssumeRole"}]}'
)

NOT_IMPLEMENTED = (
    b"<ErrorResponse><Error><Code>NotImplemented</Code>"
    b"<Message>This operation is not available on local EMR.</Message></Error></ErrorResponse>"
)


class Services:
    """The application, and the few questions that EMR asks of it. Every call waits until moto is there."""

    def __init__(self) -> None:
        self._application: Application | None = None
        self._lock = threading.Lock()
        self._seeded: set[str] = set()
        self._loader = threading.Thread(target=self._load, name="moto", daemon=True)

    def start(self) -> None:
        """Begin to load, in the background."""
        self._loader.start()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read())  # not while others wait
        self._loader.join()
        with self._lock:
            self._seed(environ["local_emr.region"])
            return list(self._serve(environ, start_response))

    def has_instance_profile(self, name: str) -> bool:
        return self._ask("iam", FIRST_REGION, Action="GetInstanceProfile", InstanceProfileName=name.rpartition("/")[2])

    def has_role(self, name: str) -> bool:
        return self._ask("iam", FIRST_REGION, Action="GetRole", RoleName=name.rpartition("/")[2])

    def has_key_pair(self, region: str, name: str) -> bool:
        return self._ask("ec2", region, Action="DescribeKeyPairs", **{"KeyName.1": name})

    def has_subnet(self, region: str, subnet_id: str) -> bool:
        return self._ask("ec2", region, Action="DescribeSubnets", **{"SubnetId.1": subnet_id})

    def has_security_group(self, region: str, group_id: str) -> bool:
        return self._ask("ec2", region, Action="DescribeSecurityGroups", **{"GroupId.1": group_id})

    def _ask(self, service: str, region: str, **parameters: str) -> bool:
        """Whether a query succeeds; AWS answers 4xx for a thing that is not there."""
        self._loader.join()
        with self._lock:
            self._seed(region)
            return self._query(service, region, parameters)

    def _load(self) -> None:
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

        self._application = DomainDispatcherApplication(create_backend_app)
        with self._lock:
            self._seed(FIRST_REGION)

    def _serve(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        if self._application is None:
            raise RuntimeError("moto could not be loaded; the reason is above")
        try:
            return self._application(environ, start_response)
        except Exception:  # an operation that moto lacks can end in any exception
            traceback.print_exc()
            length = ("Content-Length", str(len(NOT_IMPLEMENTED)))
            start_response("501 Not Implemented", [("Content-Type", "text/xml"), length])
            return [NOT_IMPLEMENTED]

    def _seed(self, region: str) -> None:
        """What a new account has, once a region: moto itself makes the default network."""
        if region in self._seeded:
            return
        if not self._seeded:
            self._seed_roles()
        self._seeded.add(region)
        self._query("ec2", region, {"Action": "CreateKeyPair", "KeyName": KEY_PAIR, "KeyType": "ed25519"})
        for group in SECURITY_GROUPS:
            description = "Made by local EMR, as EMR makes it with the first cluster"
            self._query(
                "ec2", region, {"Action": "CreateSecurityGroup", "GroupName": group, "GroupDescription": description}
            )

    def _seed_roles(self) -> None:
        for role, principal in ROLES.items():
            trust = TRUST % principal
            self._query(
                "iam", FIRST_REGION, {"Action": "CreateRole", "RoleName": role, "AssumeRolePolicyDocument": trust}
            )
        for name in INSTANCE_PROFILES:
            profile = {"InstanceProfileName": name}
            self._query("iam", FIRST_REGION, {"Action": "CreateInstanceProfile", **profile})
            self._query("iam", FIRST_REGION, {"Action": "AddRoleToInstanceProfile", "RoleName": name, **profile})

    def _query(self, service: str, region: str, parameters: dict[str, str]) -> bool:
        body = urlencode({"Version": VERSIONS[service], **parameters}).encode()
        scope = f"local/20200101/{region}/{service}/aws4_request"
        environ = {
            "REQUEST_METHOD": "POST",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/",
            "QUERY_STRING": "",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": f"{service}.{region}.amazonaws.com",
            "HTTP_AUTHORIZATION": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
            "CONTENT_TYPE": "application/x-www-form-urlencoded",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        said: list[str] = []

        def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
            said.append(status)

        list(self._serve(environ, start_response))
        return said[0].startswith("2")
