"""Where a Redshift warehouse is, and how to log in to it: by IAM, unless a password is configured."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from sparkify.config import Aws, Config
from sparkify.errors import ConfigError, WarehouseError


class Address(NamedTuple):
    """Where a warehouse is, and how to log in."""

    host: str
    port: int
    database: str
    user: str
    password: str  # a secret
    cluster: str  # of a provisioned cluster, to log in by IAM
    workgroup: str  # of a Serverless one
    region: str

    @classmethod
    def of(cls, url: str) -> Address:
        """Read a URL such as ``redshift://host:5439/dbname``; the host's own name says what it belongs to.

        Where it does not (a tunnel, a name of your own), ``?cluster=NAME&region=R`` or ``?workgroup=…`` does.
        """
        try:
            parts = urlsplit(url)
            port = parts.port or 5439
            given = {key: values[-1] for key, values in parse_qs(parts.query, strict_parsing=bool(parts.query)).items()}
        except ValueError:
            raise ConfigError(_NO_URL) from None
        if not parts.hostname or not parts.path.strip("/") or not given.keys() <= {"cluster", "workgroup", "region"}:
            raise ConfigError(_NO_URL)
        named = _HOST.fullmatch(parts.hostname)
        kind = "workgroup" if named and named["kind"] == "redshift-serverless" else "cluster"
        found = {kind: named["name"], "region": named["region"]} if named else {}
        found |= given
        return cls(
            parts.hostname,
            port,
            unquote(parts.path.strip("/")),
            unquote(parts.username or ""),
            unquote(parts.password or ""),
            *(found.get(key, "") for key in ("cluster", "workgroup", "region")),
        )


_HOST = re.compile(
    r"(?P<name>[a-z0-9-]+)\.[a-z0-9-]+\.(?P<region>[a-z0-9-]+)\.(?P<kind>redshift|redshift-serverless)"
    r"\.amazonaws\.com(\.cn)?"
)
_NO_URL = (
    "[WAREHOUSE] URL or --warehouse: not a URL of Redshift. Write it like redshift://host:5439/dbname; in a user or"
    " password, @ is written %40 and % is written %25."
)


def found(url: str, config: Config) -> tuple[Address, Config, str]:
    """Return where a URL leads, and what its stack knows.

    That is, in the configuration, the role of COPY and where to stage; and where the administrator's password is kept.
    """
    if url.partition(":")[2].strip("/"):
        return Address.of(url), config, ""
    from sparkify.cluster import endpoint

    known = endpoint.outputs(config)
    kind = "workgroup" if known.kind == "serverless" else "cluster"
    config = replace(config, iam_role_arn=config.iam_role_arn or known.role_arn, stage=config.stage or known.stage)
    return Address.of(f"{known.url}?{kind}={known.name}&region={known.region}"), config, known.secret_arn


def administrator(secret: str, at: Address, aws: Aws) -> tuple[str, str]:
    """Return the administrator's login, which Secrets Manager keeps."""
    from botocore.exceptions import BotoCoreError, ClientError

    from sparkify import s3

    try:
        client = s3.session(aws, at.region or None).client("secretsmanager")
        kept = json.loads(client.get_secret_value(SecretId=secret)["SecretString"])
        return str(kept["username"]), str(kept["password"])
    except (BotoCoreError, ClientError, ValueError) as error:
        said = s3.without_login(error)
        raise WarehouseError(
            f"{at.host}: your login may not make a schema, and the administrator's cannot be had to allow it ({said})."
            f" Allow secretsmanager:GetSecretValue on {secret}, once."
        ) from error


def temporary(at: Address, aws: Aws) -> tuple[str, str]:
    """Get a temporary login by IAM: a user and a password for a connection that is made within minutes."""
    if not (at.cluster or at.workgroup):
        raise ConfigError(
            f"{at.host}: names no cluster to log in to by IAM. Set [CLUSTER] DB_USER and DB_PASSWORD, or add"
            " ?cluster=NAME&region=REGION or ?workgroup=NAME&region=REGION to the URL."
        )
    from botocore.exceptions import BotoCoreError, ClientError

    from sparkify import s3

    action = "redshift-serverless:GetCredentials" if at.workgroup else "redshift:GetClusterCredentialsWithIAM"
    try:
        session = s3.session(aws, at.region or None)
        if at.workgroup:
            given = session.client("redshift-serverless").get_credentials(
                workgroupName=at.workgroup, dbName=at.database
            )
            return given["dbUser"], given["dbPassword"]
        given = session.client("redshift").get_cluster_credentials_with_iam(
            ClusterIdentifier=at.cluster, DbName=at.database
        )
        return given["DbUser"], given["DbPassword"]
    except (BotoCoreError, ClientError, ValueError) as error:
        said = s3.without_login(error)
        raise WarehouseError(
            f"{at.host}: AWS gives no login by IAM ({said}). Allow {action} to who you are logged in to AWS as, or"
            " set [CLUSTER] DB_USER and DB_PASSWORD."
        ) from error
