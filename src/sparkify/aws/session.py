"""The boto3 session: credentials, profile and region, with errors that say what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sparkify.config import Aws
from sparkify.errors import ConfigError, SourceError, SourceUnreachable

if TYPE_CHECKING:
    import boto3

_LOGIN = re.compile(r"([\"'`]?)\S*@")
LOGIN_IN_URL = re.compile(r"(://)\S*@")


def without_login(error: Exception) -> str:
    """Return what boto3 says, without the login that the URL of an endpoint may hold: it quotes that URL."""
    from botocore.exceptions import ClientError

    if isinstance(error, (ClientError, OSError)):  # in whose words an @ is part of somebody's name, or of a file's
        return str(error)
    return _LOGIN.sub(r"\1", str(error))


def session(aws: Aws, region: str | None = None) -> boto3.Session:
    """Return a boto3 Session: with the keys of [AWS] if they are set, otherwise with what boto3 finds by itself."""
    with require_clients("This"):
        import boto3
    if bool(aws.key) != bool(aws.secret):
        raise ConfigError("[AWS] KEY and SECRET go together, and one of them is empty. Set both, or none.")
    with translate_boto3_errors("AWS"):
        return boto3.Session(
            aws_access_key_id=aws.key or None, aws_secret_access_key=aws.secret or None, region_name=region
        )


LOG_IN = "Set AWS_PROFILE, log in (`aws sso login`), or set [AWS] KEY and SECRET."


@contextmanager
def require_clients(url: str) -> Iterator[None]:
    """Say which packages are missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise SourceError(f"{url} needs the AWS clients: pip install 'sparkify-warehouse[aws]'") from error


@contextmanager
def translate_boto3_errors(url: str) -> Iterator[None]:
    """Say what boto3 finds wrong before S3 is reached, or on the way there."""
    from botocore import exceptions

    try:
        yield
    except exceptions.ProfileNotFound as error:
        raise SourceUnreachable(f"{url}: {error}. Set AWS_PROFILE to one of ~/.aws/config, or unset it.") from error
    except exceptions.NoCredentialsError as error:
        raise SourceUnreachable(f"{url}: there are no AWS credentials. {LOG_IN}") from error
    except exceptions.ParamValidationError as error:
        raise SourceError(f"{url}: is no name that a bucket can have. Correct it.") from error
    except (exceptions.HTTPClientError, exceptions.ConnectionError) as error:
        endpoint = urlsplit(str(error.kwargs.get("endpoint_url", ""))).netloc.rpartition("@")[2]
        where = f" at {endpoint}" if endpoint else ""
        raise SourceUnreachable(
            f"{url}: S3 cannot be reached{where} ({type(error).__name__}). Check the network and AWS_ENDPOINT_URL."
        ) from error
    except (exceptions.BotoCoreError, exceptions.ClientError, ValueError, OSError) as error:
        raise SourceUnreachable(f"{url}: AWS's settings cannot be used ({without_login(error)}). {LOG_IN}") from error
