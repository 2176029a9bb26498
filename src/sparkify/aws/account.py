"""An AWS account as boto3 reaches it, and what it refuses, said so that somebody can put it right."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sparkify.aws.session import session, without_login
from sparkify.config import Aws, Config
from sparkify.errors import ClusterError, ConfigError, SourceError

if TYPE_CHECKING:
    import boto3


PAUSE = 5.0  # seconds between two looks at what AWS is doing
PATIENCE = 720  # looks at something that should end within minutes: an hour

PROJECT = "sparkify:project"  # the tag of everything that setup makes; its value is the stack's name
KIND = "sparkify:kind"
KEPT = "sparkify:kept"  # the tag of a snapshot that outlives the stack on purpose


def _cluster_session(aws: Aws, region: str = "") -> boto3.Session:
    """Return a session with the keys of dwh.cfg, or with what boto3 finds (environment, profile, SSO, role)."""
    try:
        return session(aws, region or None)
    except SourceError as error:
        raise ClusterError(str(error)) from error


class Account:
    """The account and region of a configuration."""

    def __init__(self, config: Config) -> None:
        with plain_errors():
            self._session: Any = _cluster_session(config.aws, config.dwh.region)
        if not self._session.region_name:
            raise ConfigError(
                "[DWH] REGION is empty, and your AWS profile names no region either. Write one, such as us-east-1."
            )
        self.region: str = self._session.region_name
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """Return the client of a service; it tries again by itself when AWS asks for slower calls."""
        from botocore.config import Config as Settings

        if service not in self._clients:
            settings = Settings(retries={"mode": "standard", "total_max_attempts": 8})
            try:
                self._clients[service] = self._session.client(service, config=settings)
            except ValueError as error:
                said = without_login(error)
                raise ClusterError(f"AWS: cannot be asked ({said}). Check AWS_ENDPOINT_URL.") from error
        return self._clients[service]

    def number(self) -> str:
        """Return the number of the account."""
        return str(self.client("sts").get_caller_identity()["Account"])

    def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            client.close()

    def __enter__(self) -> Account:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def looks(self, at: str) -> Iterator[None]:
        """Look again and again, with a pause between; raise ClusterError when it takes too long."""
        yield
        for _ in range(PATIENCE):
            time.sleep(PAUSE)
            yield
        raise ClusterError(f"{at}: not done after an hour. Look at it in AWS's console, then run this again.")


def code(error: Exception) -> str:
    """Return AWS's name of an error, or ""."""
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn what AWS or boto3 says into a ClusterError that says what to do."""
    try:
        from botocore import exceptions
    except ModuleNotFoundError:
        yield
        return
    try:
        yield
    except exceptions.ClientError as error:
        raise told(error) from error
    except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError) as error:
        raise ClusterError(
            "AWS: no credentials were found. Run `aws configure sso` or `aws configure`, set AWS_PROFILE, or fill in"
            " [AWS] KEY and SECRET."
        ) from error
    except exceptions.BotoCoreError as error:
        said = without_login(error)
        raise ClusterError(f"AWS: cannot be asked ({said}). Check profile, region and network.") from error


EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired")
UNKNOWN_KEYS = ("InvalidClientTokenId", "UnrecognizedClientException", "AuthFailure", "SignatureDoesNotMatch")
DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError")


def told(error: Exception) -> ClusterError:
    """Return an error of AWS's as one of ours."""
    name, operation = code(error), str(getattr(error, "operation_name", ""))
    words = str(getattr(error, "response", {}).get("Error", {}).get("Message", "")) or str(error)
    if name in EXPIRED:
        return ClusterError("AWS: your login has expired. Log in again (`aws sso login`), then run this again.")
    if name in UNKNOWN_KEYS:
        return ClusterError("AWS: does not know these credentials. Check AWS_PROFILE, or [AWS] KEY and SECRET.")
    if name in DENIED:
        return ClusterError(f"AWS refuses {operation}. {what_is_missing(words) or words}")
    return ClusterError(f"AWS refuses {operation} ({name}): {words}")


# As IAM words it: "User: arn:… is not authorized to perform: s3:PutObject on resource: arn:… because no identity-based
# policy allows the s3:PutObject action"; "Troubleshoot access denied error messages", IAM User Guide.
DENIAL = re.compile(r"not authorized to perform:? (?P<action>[\w-]+:\w+)(?: on resource:? (?P<resource>[^\s,]+))?")


def what_is_missing(words: str) -> str:
    """Return, from AWS's words, the missing action and the policy line that grants it; "" if that is not it."""
    found = DENIAL.search(words)
    if not found:
        return ""
    action = found["action"]
    resource = (found["resource"] or "*").strip("\"'.;)")
    if "explicit deny" in words:
        return (
            f"{action} on {resource} is denied outright, by a policy of your organisation or account: no other policy"
            " can grant it. Ask whoever administers it."
        )
    line = json.dumps({"Effect": "Allow", "Action": action, "Resource": resource})
    return f"You lack {action}. This line in a policy of yours grants it:\n  {line}"
