"""What a warehouse costs, from a file of prices that a user can update."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

from sparkify.errors import ConfigError

HOURS_A_MONTH = 730  # as AWS reckons: 365 days of 24 hours in 12 months
FALLBACK = "us-east-1"


@dataclass(frozen=True)
class Prices:
    """The prices of one region, in US dollars."""

    region: str  # whose prices these are
    as_of: date
    source: str
    approximate: frozenset[str]
    amounts: dict[str, float]  # by what is paid for, a node type among it

    def of(self, what: str) -> float:
        """Return the price of something; raise ConfigError where the file has none."""
        if what not in self.amounts:
            raise ConfigError(
                f"The prices of {self.region} have none for {what}. Add it to a copy of prices.toml, and name that"
                " copy in [DWH] PRICES."
            )
        return self.amounts[what]


def load(region: str, path: str = "") -> Prices:
    """Read the prices of a region from a file, or from the one that comes with Sparkify.

    Raise ConfigError for a file that cannot be read or is not of its form.
    """
    name = path or "prices.toml"
    try:
        text = Path(path).read_text("utf-8") if path else (files(__package__) / name).read_text("utf-8")
        read = tomllib.loads(text)
        regions = read["regions"]
        of = region if region in regions else FALLBACK
        amounts = {what: float(amount) for what, amount in _flat(regions[of]).items()}
        as_of = read["as_of"]
        if not isinstance(as_of, date):
            raise TypeError
        return Prices(of, as_of, str(read["source"]), frozenset(read.get("approximate", ())), amounts)
    except OSError as error:
        raise ConfigError(f"[DWH] PRICES: {name} cannot be read ({error.strerror}). Name a file that can.") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ConfigError(
            f"[DWH] PRICES: {name} is not of the form of prices.toml (as_of, source, [regions.NAME]). Start from a"
            " copy of it."
        ) from None


def _flat(table: dict[str, Any]) -> dict[str, Any]:
    nodes: dict[str, Any] = table.get("node_hour", {})
    return {key: value for key, value in table.items() if key != "node_hour"} | nodes


@dataclass(frozen=True)
class Cost:
    """What a warehouse costs, in US dollars, without what is stored in it."""

    hour: float  # of work
    day_idle: float
    month: float  # at most, where that is known
    storage: float  # 100 GB for a month


def serverless(prices: Prices, base_capacity: int, limit: int, *, public: bool) -> Cost:
    """Return the cost of a Serverless workgroup whose spend is limited to so many dollars a month."""
    idle = standing(prices, public=public)
    return Cost(
        hour=base_capacity * prices.of("serverless_rpu_hour") + idle,
        day_idle=24 * idle,
        month=rpu_hours(prices, limit) * prices.of("serverless_rpu_hour") + HOURS_A_MONTH * idle,
        storage=100 * prices.of("storage_gb_month"),
    )


def provisioned(prices: Prices, node_type: str, nodes: int, *, public: bool) -> Cost:
    """Return the cost of a cluster that is never paused."""
    hour = nodes * prices.of(node_type) + standing(prices, public=public)
    return Cost(hour, day_idle=24 * hour, month=HOURS_A_MONTH * hour, storage=100 * prices.of("storage_gb_month"))


def standing(prices: Prices, *, public: bool) -> float:
    """Return what an hour costs in which nothing is done: the administrator's secret, and a public address."""
    return prices.of("secret_month") / HOURS_A_MONTH + (prices.of("public_address_hour") if public else 0)


def rpu_hours(prices: Prices, limit: int) -> int:
    """Return the whole RPU-hours that a limit in dollars pays for."""
    return int(limit / prices.of("serverless_rpu_hour"))
