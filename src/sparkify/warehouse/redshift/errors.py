"""Translate errors of Redshift and its driver."""

NO_LOGIN = {"28000", "28P01"}
UNREACHED = "Check host, port and security group, and that the cluster is not paused. Then run again."


def network_error(error: BaseException) -> str:
    """Return the message of a network error, without the driver's guesses."""
    message = getattr(error, "strerror", None) or str(error)
    return "the connection was lost" if "server socket closed" in message else message.rstrip(".")
