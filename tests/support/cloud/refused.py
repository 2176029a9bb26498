"""The errors that the account answers on request."""

from __future__ import annotations

from moto.core.exceptions import ServiceException


class Refused(ServiceException):  # type: ignore[misc]
    """An error with AWS's code and message."""
