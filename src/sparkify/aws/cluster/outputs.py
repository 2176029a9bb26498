"""Where the warehouse is, from the outputs of its stack."""

from __future__ import annotations

from dataclasses import dataclass

from sparkify.aws.account import Account, plain_errors
from sparkify.aws.cluster import stack
from sparkify.aws.cluster.stack import Stack
from sparkify.aws.cluster.validation import SERVERLESS, stack_name
from sparkify.config import Config
from sparkify.errors import ClusterError


@dataclass(frozen=True)
class Outputs:
    """What somebody needs to know to load the warehouse; no secret."""

    stack: str
    kind: str  # serverless or provisioned
    name: str  # of the workgroup or cluster: what GetCredentials and GetClusterCredentialsWithIAM ask for
    host: str
    port: int
    db: str
    user: str | None  # None: logins are by IAM
    role_arn: str  # for COPY
    stage: str  # s3://bucket/prefix, without a slash at the end
    region: str
    secret_arn: str  # of the administrator's password, in Secrets Manager

    @property
    def url(self) -> str:
        """The warehouse as a URL; no secret."""
        return f"redshift://{self.host}:{self.port}/{self.db}"


def outputs(config: Config) -> Outputs:
    """Return where the stack of [DWH] STACK has its warehouse.

    Raise ClusterError where there is no such stack, or it is not complete.
    """
    with plain_errors(), Account(config) as account:
        return stack_outputs(account, complete_stack(account, stack_name(config.dwh)))


def complete_stack(account: Account, name: str) -> Stack:
    """Return the stack of a name; raise ClusterError where it is not there, or not complete."""
    found = stack.find(account, name)
    if found is None:
        raise ClusterError(
            f"{name}: there is no stack of this name in {account.region}. Run `sparkify cluster setup`, or correct"
            " [DWH] STACK or REGION."
        )
    if not found.stands:
        raise ClusterError(
            f"{name}: is not complete ({found.status}). Run `sparkify cluster setup` to go on with it, or `sparkify"
            " cluster teardown`."
        )
    return found


def stack_outputs(account: Account, stack: Stack) -> Outputs:
    """Return the outputs of a stack that stands."""
    known = stack.outputs
    return Outputs(
        stack=stack.name,
        kind=stack.kind,
        name=known["Name"],
        host=known["Host"],
        port=int(known["Port"]),
        db=known["Database"],
        user=None,
        role_arn=known["RoleArn"],
        stage=known["StageUrl"].rstrip("/"),
        region=account.region,
        secret_arn=known.get("SecretArn") or secret_arn(account, stack),
    )


def secret_arn(account: Account, stack: Stack) -> str:
    """Return where Secrets Manager has the administrator's password; a Serverless stack cannot tell.

    (AWS::RedshiftServerless::Namespace returns no AdminPasswordSecretArn; GetNamespace does.)
    """
    if stack.kind != SERVERLESS:
        return ""
    namespace = account.client("redshift-serverless").get_namespace(namespaceName=stack.outputs["Name"])
    return str(namespace["namespace"].get("adminPasswordSecretArn", ""))
