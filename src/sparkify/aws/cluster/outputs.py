"""The warehouse's address, role and stage, from the outputs of its stack."""

from dataclasses import dataclass

from sparkify.aws.account import Account, translate_errors
from sparkify.aws.cluster import stack
from sparkify.aws.cluster.stack import Stack
from sparkify.aws.cluster.validation import SERVERLESS, stack_name
from sparkify.config import Config
from sparkify.errors import ClusterError


@dataclass(frozen=True)
class Outputs:
    """Everything that a load needs to know about the warehouse; no secret."""

    stack: str
    kind: str  # serverless or provisioned
    name: str  # of the workgroup or cluster, for GetCredentials and GetClusterCredentialsWithIAM
    host: str
    port: int
    db: str
    role_arn: str  # for COPY
    stage: str  # s3://bucket/prefix, without a slash at the end
    region: str
    secret_arn: str  # of the administrator's password, in Secrets Manager

    @property
    def url(self) -> str:
        """The warehouse as a URL; no secret."""
        return f"redshift://{self.host}:{self.port}/{self.db}"


def outputs(config: Config) -> Outputs:
    """Return the outputs of the stack that [DWH] STACK names.

    Raise ClusterError where there is no such stack, or it is not complete.
    """
    with translate_errors(), Account(config) as account:
        return stack_outputs(account, complete_stack(account, stack_name(config.dwh)))


def complete_stack(account: Account, name: str) -> Stack:
    """Return the stack of a name; raise ClusterError where it does not exist or is not complete."""
    found = stack.find(account, name)
    if found is None:
        raise ClusterError(
            f"{name}: there is no such stack in {account.region}. Run `sparkify cluster setup`, or correct"
            " [DWH] STACK or REGION."
        )
    if not found.is_complete:
        raise ClusterError(
            f"{name}: the stack is not complete ({found.status}). Run `sparkify cluster setup` to continue, or"
            " `sparkify cluster teardown`."
        )
    return found


def stack_outputs(account: Account, stack: Stack) -> Outputs:
    """Return the outputs of a complete stack."""
    known = stack.outputs
    return Outputs(
        stack=stack.name,
        kind=stack.kind,
        name=known["Name"],
        host=known["Host"],
        port=int(known["Port"]),
        db=known["Database"],
        role_arn=known["RoleArn"],
        stage=known["StageUrl"].rstrip("/"),
        region=account.region,
        secret_arn=known.get("SecretArn") or secret_arn(account, stack),
    )


def secret_arn(account: Account, stack: Stack) -> str:
    """Return the ARN of the administrator's secret, which the outputs of a Serverless stack lack.

    AWS::RedshiftServerless::Namespace does not return AdminPasswordSecretArn, but GetNamespace does.
    """
    if stack.kind != SERVERLESS:
        return ""
    namespace = account.client("redshift-serverless").get_namespace(namespaceName=stack.outputs["Name"])
    return str(namespace["namespace"].get("adminPasswordSecretArn", ""))
