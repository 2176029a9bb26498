"""A URL that names no warehouse is reported without its secrets."""

from __future__ import annotations

import pytest

from sparkify.errors import ConfigError
from sparkify.warehouse.connect import open_warehouse


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:s3cr%zzet@localhost/db",
        "postgresql://u:p@s3cret@127.0.0.1:1/db",
        "postgresql:u:s3cret@h",
        "postgresql://[s3cret",
    ],
)
def test_invalid_url_is_not_repeated(url: str) -> None:
    """The message about an invalid URL does not repeat the password in it."""
    with pytest.raises(ConfigError) as caught:
        open_warehouse(url)
    assert "s3c" not in str(caught.value)
