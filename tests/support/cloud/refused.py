"""What the account answers where it does not do as it is asked."""

from __future__ import annotations

from moto.core.exceptions import ServiceException


class Refused(ServiceException):  # type: ignore[misc]
    """A refusal, by AWS's code and words."""
