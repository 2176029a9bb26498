"""The boto3 session: credentials, profile and region, with errors that state a remedy."""

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

_LOGIN = re.compile(r"(: [\"'`]?|[\"'`]).*@|\S*@")
LOGIN_IN_URL = re.compile(r"(://)\S*@")
LOG_IN = "Set AWS_PROFILE, log in (`aws sso login`), or set [AWS] KEY and SECRET."


def without_login(error: Exception) -> str:
    """Return the text of a boto3 error without the login that a quoted endpoint URL can contain."""
    from botocore.exceptions import ClientError

    if isinstance(error, (ClientError, OSError)):  # an @ in these belongs to the name of a user or a file
        return str(error)
    return _LOGIN.sub(r"\1", str(error))


def session(aws: Aws, region: str = "") -> boto3.Session:
    """Return a boto3 Session with the region and the keys of [AWS] if they are set, otherwise with what boto3 finds."""
    with require_clients("AWS"):
        import boto3
    if bool(aws.key) != bool(aws.secret):
        raise ConfigError("[AWS] KEY and SECRET go together, and one of them is empty. Set both, or none.")
    with translate_boto3_errors("AWS"):
        return boto3.Session(
            aws_access_key_id=aws.key or None, aws_secret_access_key=aws.secret or None, region_name=region or None
        )


@contextmanager
def require_clients(url: str) -> Iterator[None]:
    """Raise SourceError with the install command where a package is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise SourceError(
            f"{url}: the AWS clients are not installed. Run `pip install 'sparkify-warehouse[aws]'`."
        ) from error


@contextmanager
def translate_boto3_errors(url: str) -> Iterator[None]:
    """Translate boto3 errors before and during the first request to S3 into SourceError."""
    from botocore import exceptions

    try:
        yield
    except exceptions.ProfileNotFound as error:
        raise SourceUnreachable(
            f"{url}: {error}. Set AWS_PROFILE to a profile of ~/.aws/config, or unset it."
        ) from error
    except exceptions.NoCredentialsError as error:
        raise SourceUnreachable(f"{url}: no AWS credentials were found. {LOG_IN}") from error
    except exceptions.ParamValidationError as error:
        raise SourceError(f"{url}: this is not a valid bucket name. Correct it.") from error
    except (exceptions.HTTPClientError, exceptions.ConnectionError) as error:
        endpoint = urlsplit(str(error.kwargs.get("endpoint_url", ""))).netloc.rpartition("@")[2]
        where = f" at {endpoint}" if endpoint else ""
        raise SourceUnreachable(
            f"{url}: S3 cannot be reached{where} ({type(error).__name__}). Check the network and AWS_ENDPOINT_URL."
        ) from error
    except (exceptions.BotoCoreError, exceptions.ClientError, ValueError, OSError) as error:
        raise SourceUnreachable(f"{url}: the AWS settings cannot be used ({without_login(error)}). {LOG_IN}") from error
