"""Translate errors of Redshift and its driver."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # loaded when a warehouse is opened
    pass


PASSING = {
    "40001": "a conflict with another transaction",
    "40P01": "a deadlock with another transaction",
    "53300": "too many connections",
    "57P01": "the cluster is shutting down",
    "57P02": "the cluster restarts",
    "57P03": "the cluster is starting",
    "08000": "the connection failed",
    "08001": "the connection was refused",
    "08003": "the connection is closed",
    "08006": "the connection was lost",
}
"""SQLSTATEs of what can pass, so that another try makes sense ("PostgreSQL error codes", its documentation, A)."""

ENDING = {"57P01", "57P02", "08000", "08003", "08006"}
"""SQLSTATEs with which the server ends the connection."""

NO_LOGIN = {"28000", "28P01"}
UNREACHED = "Check host and port, who may connect (its security group), that it is not paused; then run again."

CONFLICT = "1023"  # how Redshift begins the message of a serializable isolation violation, under SQLSTATE XX000


def network_error(error: BaseException) -> str:
    """Return what an error of the network says, without the driver's guesses."""
    said = getattr(error, "strerror", None) or str(error)
    return "the connection was lost" if "server socket closed" in said else said.rstrip(".")
