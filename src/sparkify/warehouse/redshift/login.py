"""Where a Redshift warehouse is, and how to log in to it: by IAM, unless a password is configured."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from sparkify.config import Aws, Config
from sparkify.errors import ConfigError


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
    from sparkify.aws.cluster.outputs import outputs

    known = outputs(config)
    kind = "workgroup" if known.kind == "serverless" else "cluster"
    config = replace(config, iam_role_arn=config.iam_role_arn or known.role_arn, stage=config.stage or known.stage)
    return Address.of(f"{known.url}?{kind}={known.name}&region={known.region}"), config, known.secret_arn


def temporary(at: Address, aws: Aws) -> tuple[str, str]:
    """Return a temporary login by IAM, a user and a password; raise ConfigError if the address names no cluster."""
    if not (at.cluster or at.workgroup):
        raise ConfigError(
            f"{at.host}: does not name a cluster for a login by IAM. Set [CLUSTER] DB_USER and DB_PASSWORD, or add"
            " ?cluster=NAME&region=REGION or ?workgroup=NAME&region=REGION to the URL."
        )
    from sparkify.aws import redshift_login

    return redshift_login.temporary(at.host, at.cluster, at.workgroup, at.database, at.region, aws)


def administrator(secret: str, at: Address, aws: Aws) -> tuple[str, str]:
    """Return the administrator's login, which Secrets Manager keeps."""
    from sparkify.aws import redshift_login

    return redshift_login.administrator(at.host, secret, at.region, aws)
