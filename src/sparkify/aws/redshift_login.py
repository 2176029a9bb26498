"""Logins to a Redshift database that AWS grants: temporary ones by IAM, and the administrator's from Secrets Manager."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from sparkify.aws.session import session, without_login
from sparkify.config import Aws
from sparkify.errors import WarehouseError


def temporary(host: str, cluster: str, workgroup: str, database: str, region: str, aws: Aws) -> tuple[str, str]:
    """Return user and password for a connection made within minutes; a workgroup, if named, goes before a cluster."""
    action = "redshift-serverless:GetCredentials" if workgroup else "redshift:GetClusterCredentialsWithIAM"
    with _translate_errors(
        f"{host}: AWS grants no login by IAM ({{reason}}). Allow {action} to your AWS identity, or set"
        " [CLUSTER] DB_USER and DB_PASSWORD."
    ):
        made = session(aws, region or None)
        if workgroup:
            given = made.client("redshift-serverless").get_credentials(workgroupName=workgroup, dbName=database)
            return given["dbUser"], given["dbPassword"]
        given = made.client("redshift").get_cluster_credentials_with_iam(ClusterIdentifier=cluster, DbName=database)
        return given["DbUser"], given["DbPassword"]


def administrator(host: str, secret: str, region: str, aws: Aws) -> tuple[str, str]:
    """Return user and password of the administrator; `secret` is the ARN of their secret."""
    with _translate_errors(
        f"{host}: your login must not create a schema, and the administrator's login, which could grant it, cannot be"
        f" read ({{reason}}). Allow secretsmanager:GetSecretValue on {secret} once."
    ):
        client = session(aws, region or None).client("secretsmanager")
        kept = json.loads(client.get_secret_value(SecretId=secret)["SecretString"])
        return str(kept["username"]), str(kept["password"])


@contextmanager
def _translate_errors(message: str) -> Iterator[None]:
    """Translate boto3 errors into WarehouseError; ``{reason}`` in the message becomes what boto3 says."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError, ValueError) as error:
        raise WarehouseError(message.replace("{reason}", without_login(error))) from error
