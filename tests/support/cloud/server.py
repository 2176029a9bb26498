"""The server of an account: one per test, on a free port of the loopback, with an account number of its own."""

from __future__ import annotations

import itertools
import json
import os
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache
from io import BytesIO
from threading import RLock, Thread
from typing import Any

import boto3
from botocore.loaders import JSONFileLoader
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import determine_request_protocol
from moto.core.serialize import get_serializer_class
from moto.core.utils import get_service_model
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.s3.models import s3_backends
from tests.support.cloud.formation import Formation
from tests.support.cloud.refused import Refused
from tests.support.cloud.serverless import Serverless, Tagging
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

NUMBERS = itertools.count(os.getpid() * 1_000)
REGION = "us-east-1"

# Services of the fake, by the name in the signature of a request; all others are moto's.
PLAYED = {
    "cloudformation": "cloudformation",
    "redshift-serverless": "redshift-serverless",
    "tagging": "resourcegroupstaggingapi",
}
SIGNED_AS = re.compile(r"Credential=[^/]+/\d+/[\w-]+/([\w-]+)/aws4_request")


# No test needs machine images, of which moto would load thousands for every account.
os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"

_read = JSONFileLoader.load_file


@cache
def _content(path: str) -> Any:
    return _read(JSONFileLoader(), path)


def read_once(_: JSONFileLoader, path: str) -> Any:
    """Read a data file of botocore once per process, not once per session."""
    return _content(path)


class Quiet(WSGIRequestHandler):
    """Logs no request."""

    protocol_version = "HTTP/1.1"

    def log_request(self, *_: Any) -> None:
        """Log nothing."""


class Cloud:
    """An account: its resources, the calls that it received, and the errors that it answers on request."""

    def __init__(self) -> None:
        self.account = f"{next(NUMBERS) % 10**12:012d}"
        self.calls: list[str] = []  # in order, such as "cloudformation:CreateStack"
        self.denied: dict[str, str] = {}  # action → the text after "is not authorized to perform"
        self.refused: dict[str, Refused] = {}  # action → another error
        self.throttled: Counter[str] = Counter()  # action → how many more calls are throttled
        self.restored: dict[str, str] = {}  # warehouse → the snapshot with which it began
        self.formation = Formation(self)
        self.serverless: Serverless = Serverless(self)
        self.tagging = Tagging(self)
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._lock = RLock()
        self._clients: dict[str, Any] = {}
        self._server: Any = make_server("127.0.0.1", 0, self._answer, threaded=True, request_handler=Quiet)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> Cloud:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients.values():
            client.close()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def environment(self) -> dict[str, str]:
        """Return the environment variables that lead boto3 to this account."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLEKEY",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def client(self, service: str) -> Any:
        """Return a client whose calls are not recorded."""
        if service not in self._clients:
            session: Any = boto3.Session("of-the-tests", "secret", region_name=REGION)
            self._clients[service] = session.client(service, endpoint_url=self.url)
        return self._clients[service]

    def permit(self, action: str) -> None:
        """Record a call that CloudFormation makes with the user's permissions; raise Refused if it is denied."""
        self.calls.append(action)
        if refusal := self._refusal(action):
            raise refusal

    def stage_bucket(self) -> str:
        """Return the bucket that a stack created."""
        (found,) = self.client("s3").list_buckets()["Buckets"]
        return str(found["Name"])

    def fill_stage(self, objects: int = 3) -> None:
        """Put objects of 1 kB into the stack's bucket, without requests, of which hundreds would be slow."""
        backend, bucket = s3_backends[self.account]["aws"], self.stage_bucket()
        for number in range(objects):
            backend.put_object(bucket, f"stage/{number}.json", b"x" * 1000)

    def make_password(self, warehouse: str, user: str) -> str:
        """Create the secret of a warehouse's administrator, as Redshift does; return its ARN."""
        kept = json.dumps({"username": user, "password": "of-the-secret"})
        made = self.client("secretsmanager").create_secret(Name=f"redshift!{warehouse}-admin", SecretString=kept)
        return str(made["ARN"])

    def everything(self) -> list[str]:
        """Return every resource in the account, as each service lists it."""
        ec2, redshift = self.client("ec2"), self.client("redshift")
        return sorted(
            [
                *(f"bucket {bucket['Name']}" for bucket in self.client("s3").list_buckets()["Buckets"]),
                *(
                    f"role {role['Arn']}"
                    for role in self.client("iam").list_roles()["Roles"]
                    if not role["Path"].startswith("/aws-service-role/")  # Such a role stays with the account.
                ),
                *(f"secret {secret['Name']}" for secret in self.client("secretsmanager").list_secrets()["SecretList"]),
                *(vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"]),
                *(subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]),
                *(group["GroupId"] for group in ec2.describe_security_groups()["SecurityGroups"]),
                *(rule["SecurityGroupRuleId"] for rule in ec2.describe_security_group_rules()["SecurityGroupRules"]),
                *(gateway["InternetGatewayId"] for gateway in ec2.describe_internet_gateways()["InternetGateways"]),
                *(table["RouteTableId"] for table in ec2.describe_route_tables()["RouteTables"]),
                *(f"cluster {cluster['ClusterIdentifier']}" for cluster in redshift.describe_clusters()["Clusters"]),
                *(
                    g["ClusterSubnetGroupName"]
                    for g in redshift.describe_cluster_subnet_groups()["ClusterSubnetGroups"]
                ),
                *(g["ParameterGroupName"] for g in redshift.describe_cluster_parameter_groups()["ParameterGroups"]),
                *(f"snapshot {s['SnapshotIdentifier']}" for s in redshift.describe_cluster_snapshots()["Snapshots"]),
                *(f"snapshot {name}" for name in self.serverless.snapshots),
                *(f"namespace {name}" for name in self.serverless.namespaces),
                *(f"workgroup {name}" for name in self.serverless.workgroups),
                *(f"limit {limit}" for limit in self.serverless.limits),
                *(f"stack {s.name}" for s in self.formation.stacks.values() if s.status != "DELETE_COMPLETE"),
            ]
        )

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = Request(environ).get_data(cache=False)
        environ["wsgi.input"] = BytesIO(body)
        environ["HTTP_X_MOTO_ACCOUNT_ID"] = self.account
        request = Request(environ)
        authorization = request.headers.get("Authorization", "")
        signed_for = found[1] if (found := SIGNED_AS.search(authorization)) else "s3"
        operation = _operation(request)
        environ["wsgi.input"] = BytesIO(body)
        if "of-the-tests" not in authorization:
            action = f"{_prefix(signed_for)}:{operation}"
            self.calls.append(action)
            if refusal := self._refusal(action):
                return _serialized(signed_for, operation, request, refusal)(environ, start_response)
        if signed_for not in PLAYED:
            answered: Iterable[bytes] = self._moto(environ, start_response)
            return answered
        with self._lock:
            return self._play(signed_for, operation, Request(environ))(environ, start_response)

    def _refusal(self, action: str) -> Refused | None:
        if self.throttled[action] > 0:
            self.throttled[action] -= 1
            return Refused("Throttling", "Rate exceeded")
        if action in self.refused:
            return self.refused[action]
        if action in self.denied:
            user = f"User: arn:aws:iam::{self.account}:user/ada"
            code = "UnauthorizedOperation" if action.startswith("ec2:") else "AccessDenied"
            return Refused(code, f"{user} is not authorized to perform: {action} {self.denied[action]}".strip())
        return None

    def _play(self, signed_for: str, operation: str, request: Request) -> Response:
        player = {
            "cloudformation": self.formation,
            "redshift-serverless": self.serverless,
            "tagging": self.tagging,
        }[signed_for]
        model = get_service_model(PLAYED[signed_for]).operation_model(operation)
        protocol = determine_request_protocol(model.service_model, request.content_type)
        parsed = PROTOCOL_PARSERS[protocol](model).parse(
            {
                "method": request.method,
                "values": request.values,
                "headers": request.headers,
                "body": request.get_data(),
                "url_path": request.path,
                "url_params": {},
            }
        )
        try:
            result = getattr(player, operation)(**parsed)
        except Refused as error:
            result = error
        return _serialized(signed_for, operation, request, result)


def _prefix(signed_for: str) -> str:
    return {"monitoring": "cloudwatch"}.get(signed_for, signed_for)


def _operation(request: Request) -> str:
    """Return the operation of a request: from its form, header, path, or (in S3) method and query."""
    if target := request.headers.get("X-Amz-Target"):
        return str(target.rpartition(".")[2])
    if "/operation/" in request.path:
        return str(request.path.rpartition("/")[2])
    if "Action" in request.values:
        return str(request.values["Action"])
    names = {("GET", "versions"): "ListObjectVersions", ("POST", "delete"): "DeleteObjects"}
    return next((name for (method, key), name in names.items() if request.method == method and key in request.args), "")


def _serialized(signed_for: str, operation: str, request: Request, result: Any) -> Response:
    service = get_service_model(PLAYED.get(signed_for, signed_for))
    protocol = determine_request_protocol(service, request.content_type)
    serializer = get_serializer_class(service.service_name, protocol)(
        operation_model=service.operation_model(operation)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # AWS answers some codes that botocore's models do not list.
        made = serializer.serialize(result)
    return Response(made["body"], made["status_code"], dict(made["headers"]))
