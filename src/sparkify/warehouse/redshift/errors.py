"""Translate errors of Redshift and its driver."""

TRANSIENT = {
    "40001": "a conflict with another transaction",
    "40P01": "a deadlock with another transaction",
    "53300": "too many connections",
    "57P01": "the cluster is shutting down",
    "57P02": "the cluster is restarting",
    "57P03": "the cluster is starting",
    "08000": "the connection failed",
    "08001": "the connection was refused",
    "08003": "the connection is closed",
    "08006": "the connection was lost",
}
"""SQLSTATEs of transient errors, which a retry can overcome (PostgreSQL's documentation, appendix A)."""

ENDING = {"57P01", "57P02", "08000", "08003", "08006"}
"""SQLSTATEs after which the server closes the connection."""

NO_LOGIN = {"28000", "28P01"}
UNREACHED = "Check host, port and security group, and that the cluster is not paused. Then run again."

CONFLICT = "1023"  # begins the message of a serializable isolation violation, whose SQLSTATE is XX000


def network_error(error: BaseException) -> str:
    """Return the message of a network error, without the driver's guesses."""
    message = getattr(error, "strerror", None) or str(error)
    return "the connection was lost" if "server socket closed" in message else message.rstrip(".")
