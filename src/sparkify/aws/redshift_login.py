"""Logins to a Redshift database that AWS grants: temporary ones by IAM, the administrator's from Secrets Manager."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from sparkify.aws.session import session, without_login
from sparkify.config import Aws
from sparkify.errors import WarehouseError


def temporary(host: str, cluster: str, workgroup: str, database: str, region: str, aws: Aws) -> tuple[str, str]:
    """Return user and password of a login that expires within minutes; a workgroup takes precedence over a cluster."""
    action = "redshift-serverless:GetCredentials" if workgroup else "redshift:GetClusterCredentialsWithIAM"
    with _translate_errors(
        f"{host}: AWS does not grant a login by IAM ({{reason}}). Allow {action} for your AWS identity, or set"
        " [CLUSTER] DB_USER and DB_PASSWORD."
    ):
        boto3_session = session(aws, region)
        if workgroup:
            client = boto3_session.client("redshift-serverless")
            login = client.get_credentials(workgroupName=workgroup, dbName=database)
            return login["dbUser"], login["dbPassword"]
        client = boto3_session.client("redshift")
        login = client.get_cluster_credentials_with_iam(ClusterIdentifier=cluster, DbName=database)
        return login["DbUser"], login["DbPassword"]


def administrator(host: str, secret: str, region: str, aws: Aws) -> tuple[str, str]:
    """Return user and password of the administrator; `secret` is the ARN of the secret with both."""
    with _translate_errors(
        f"{host}: your login lacks the permission to create a schema, and the administrator's login, which could grant"
        f" it, cannot be read ({{reason}}). Allow secretsmanager:GetSecretValue on {secret} for one run."
    ):
        client = session(aws, region).client("secretsmanager")
        login = json.loads(client.get_secret_value(SecretId=secret)["SecretString"])
        return str(login["username"]), str(login["password"])


@contextmanager
def _translate_errors(message: str) -> Iterator[None]:
    """Translate boto3 errors into WarehouseError; their text replaces ``{reason}`` in the message."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError, ValueError) as error:
        raise WarehouseError(message.replace("{reason}", without_login(error))) from error
