"""The address of a Redshift warehouse, and its login: by IAM, unless a password is configured."""

from __future__ import annotations

import re
import socket
import ssl
import struct
from dataclasses import replace
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from sparkify.config import Aws, Config
from sparkify.errors import ConfigError, WarehouseError

_CERTIFICATE_WITHIN = 15  # seconds


class Address(NamedTuple):
    """The address of a warehouse, with its login."""

    host: str
    port: int
    database: str
    user: str
    password: str  # a secret
    cluster: str  # provisioned, for a login by IAM
    workgroup: str  # Serverless, for a login by IAM
    region: str
    sslmode: str = "verify-full"  # verify-ca does not compare the host name, which a tunnel changes

    @classmethod
    def of(cls, url: str) -> Address:
        """Parse a URL such as ``redshift://host:5439/dbname``; raise ConfigError if it is invalid.

        AWS host names contain the cluster or workgroup and the region. For other hosts, such as a tunnel, append
        ``?cluster=NAME&region=REGION`` or ``?workgroup=NAME&region=REGION``, and ``&sslmode=verify-ca``.
        """
        try:
            parts = urlsplit(url)
            port = parts.port or 5439
            given = {key: values[-1] for key, values in parse_qs(parts.query, strict_parsing=bool(parts.query)).items()}
        except ValueError:
            raise ConfigError(_NO_URL) from None
        sslmode = given.pop("sslmode", "verify-full")
        if not parts.hostname or not parts.path.strip("/") or not given.keys() <= {"cluster", "workgroup", "region"}:
            raise ConfigError(_NO_URL)
        if sslmode not in ("verify-full", "verify-ca"):
            raise ConfigError(
                "[WAREHOUSE] URL or --warehouse: sslmode must be verify-full or, behind a tunnel, verify-ca; with any"
                " other, a stranger could answer."
            )
        host = _HOST.fullmatch(parts.hostname)
        kind = "workgroup" if host and host["kind"] == "redshift-serverless" else "cluster"
        names = ({kind: host["name"], "region": host["region"]} if host else {}) | given
        return cls(
            parts.hostname,
            port,
            unquote(parts.path.strip("/")),
            unquote(parts.username or ""),
            unquote(parts.password or ""),
            names.get("cluster", ""),
            names.get("workgroup", ""),
            names.get("region", ""),
            sslmode,
        )


_HOST = re.compile(
    r"(?P<name>[a-z0-9-]+)\.[a-z0-9-]+\.(?P<region>[a-z0-9-]+)\.(?P<kind>redshift|redshift-serverless)"
    r"\.amazonaws\.com(\.cn)?"
)
_NO_URL = (
    "[WAREHOUSE] URL or --warehouse: not a valid Redshift URL. Write it like redshift://host:5439/dbname; in a user or"
    " password, @ is written %40 and % is written %25."
)


def resolve(url: str, config: Config) -> tuple[Address, Config, str]:
    """Return the address for a URL, the configuration, and the ARN of the administrator's secret.

    For ``redshift://`` alone, the outputs of the cluster's stack complete all three. Otherwise, the ARN is "".
    """
    if url.partition(":")[2].strip("/"):
        return Address.of(url), config, ""
    from sparkify.aws.cluster.outputs import outputs

    known = outputs(config)
    kind = "workgroup" if known.kind == "serverless" else "cluster"
    config = replace(config, iam_role_arn=config.iam_role_arn or known.role_arn, stage=config.stage or known.stage)
    return Address.of(f"{known.url}?{kind}={known.name}&region={known.region}"), config, known.secret_arn


def certified_names(at: Address) -> str:
    """Return the host names in the certificate that a server presents; raise OSError if a trusted one is not presented.

    A server that speaks PostgreSQL's protocol begins TLS after an SSLRequest ("Message Formats", its documentation).
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    with socket.create_connection((at.host, at.port), timeout=_CERTIFICATE_WITHIN) as plain:
        plain.sendall(struct.pack("!ii", 8, 80877103))
        plain.recv(1)
        with context.wrap_socket(plain) as encrypted:
            certificate: dict[str, Any] = encrypted.getpeercert() or {}
    return ", ".join(name for _, name in certificate.get("subjectAltName", ()))


def refused_certificate(at: Address, label: str, error: ssl.SSLCertVerificationError) -> WarehouseError:
    """Return the error for a certificate that was refused, with the names in it if only they are wrong."""
    problem = f"{label}: {error.verify_message.rstrip('.')}."
    try:
        names = certified_names(at)
    except OSError:
        return WarehouseError(f"{problem} Set SSL_CERT_FILE to the authority that issued it, if you trust it.")
    return WarehouseError(
        f"{problem} It was issued to {names}. Connect to that name; behind a tunnel, add ?sslmode=verify-ca to"
        " [WAREHOUSE] URL."
    )


def temporary(at: Address, aws: Aws) -> tuple[str, str]:
    """Return user and password of a temporary login by IAM; raise ConfigError if the address names no cluster."""
    if not (at.cluster or at.workgroup):
        raise ConfigError(
            f"{at.host}: the URL does not name a cluster, which a login by IAM needs. Set [CLUSTER] DB_USER and"
            " DB_PASSWORD, or add ?cluster=NAME&region=REGION or ?workgroup=NAME&region=REGION to the URL."
        )
    from sparkify.aws import redshift_login

    return redshift_login.temporary(at.host, at.cluster, at.workgroup, at.database, at.region, aws)
