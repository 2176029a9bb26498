"""An AWS account as boto3 accesses it, and its errors translated into messages that state a remedy."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sparkify.aws.session import session, without_login
from sparkify.config import Config
from sparkify.errors import ClusterError, ConfigError, SourceError

if TYPE_CHECKING:
    from botocore.exceptions import ClientError


PAUSE = 5.0  # seconds between two polls
POLLS = 720  # in an hour: operations end within minutes

PROJECT = "sparkify:project"  # the tag of everything that setup creates; its value is the stack's name
KIND = "sparkify:kind"
KEPT = "sparkify:kept"  # the tag of a snapshot that outlives the stack on purpose


class Account:
    """The account and region of a configuration."""

    def __init__(self, config: Config) -> None:
        try:
            self._session: Any = session(config.aws, config.dwh.region)
        except SourceError as error:
            raise ClusterError(str(error)) from error
        from botocore.exceptions import ClientError

        self.refusal: type[ClientError] = ClientError  # imported late, since a plan needs no boto3
        if not self._session.region_name:
            raise ConfigError(
                "[DWH] REGION is empty, and your AWS profile names no region either. Set it, for example to us-east-1."
            )
        self.region: str = self._session.region_name
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """Return the client of a service, which retries throttled calls."""
        from botocore.config import Config as Settings

        if service not in self._clients:
            settings = Settings(retries={"mode": "standard", "total_max_attempts": 8})
            try:
                client = self._session.client(service, config=settings)
                _ = urlsplit(client.meta.endpoint_url).port  # raises here for a port that no request could use
                self._clients[service] = client
            except ValueError as error:
                reason = without_login(error)
                raise ClusterError(f"AWS: the request failed ({reason}). Check AWS_ENDPOINT_URL.") from error
        return self._clients[service]

    def account_id(self) -> str:
        """Return the ID of the account."""
        return str(self.client("sts").get_caller_identity()["Account"])

    def __enter__(self) -> Account:
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients.values():
            client.close()

    def polls(self, subject: str) -> Iterator[None]:
        """Yield now and after each pause; raise ClusterError about the subject after an hour."""
        yield
        for _ in range(POLLS):
            time.sleep(PAUSE)
            yield
        raise ClusterError(
            f"{subject}: AWS has not finished after an hour. Check the AWS console, then run this again."
        )


def code(error: Exception) -> str:
    """Return the code of an AWS error, or ""."""
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))


@contextmanager
def translate_errors() -> Iterator[None]:
    """Translate errors of AWS and boto3 into ClusterError."""
    try:
        from botocore import exceptions
    except ModuleNotFoundError:
        yield
        return
    try:
        yield
    except exceptions.ClientError as error:
        raise translate(error) from error
    except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError) as error:
        raise ClusterError(
            "AWS: no credentials were found. Run `aws configure sso` or `aws configure`, set AWS_PROFILE, or fill in"
            " [AWS] KEY and SECRET."
        ) from error
    except exceptions.BotoCoreError as error:
        reason = without_login(error)
        raise ClusterError(f"AWS: the request failed ({reason}). Check the profile, region and network.") from error


EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired")
UNKNOWN_KEYS = ("InvalidClientTokenId", "UnrecognizedClientException", "AuthFailure", "SignatureDoesNotMatch")
DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError")


def translate(error: Exception) -> ClusterError:
    """Return an AWS error as a ClusterError."""
    name, operation = code(error), str(getattr(error, "operation_name", ""))
    text = str(getattr(error, "response", {}).get("Error", {}).get("Message", "")) or str(error)
    if name in EXPIRED:
        return ClusterError("AWS: your login has expired. Log in again (`aws sso login`), then run this again.")
    if name in UNKNOWN_KEYS:
        return ClusterError("AWS: these credentials are not valid. Check AWS_PROFILE, or [AWS] KEY and SECRET.")
    if name in DENIED:
        return ClusterError(f"AWS: {operation} is denied. {missing_permission(text) or text}")
    return ClusterError(f"AWS: {operation} failed ({name}). {text}")


# The form of IAM's messages: "User: arn:… is not authorized to perform: s3:PutObject on resource: arn:… because no
# identity-based policy allows the s3:PutObject action" ("Troubleshoot access denied error messages", IAM User Guide).
DENIAL = re.compile(r"not authorized to perform:? (?P<action>[\w-]+:\w+)(?: on resource:? (?P<resource>[^\s,]+))?")


def missing_permission(text: str) -> str:
    """Return which action an AWS message denies, with the policy statement that allows it; "" for other messages."""
    denial = DENIAL.search(text)
    if not denial:
        return ""
    action = denial["action"]
    resource = (denial["resource"] or "*").strip("\"'.;)")
    if "explicit deny" in text:
        return (
            f"A policy of your organisation or account explicitly denies {action} on {resource}, and no other policy"
            " can allow it. Ask the administrator of that policy."
        )
    statement = json.dumps({"Effect": "Allow", "Action": action, "Resource": resource})
    return f"You lack the permission {action}. This statement in one of your policies allows it:\n  {statement}"
