"""The cost of a warehouse, from a file of prices that users can update."""

import tomllib
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from pathlib import Path

from sparkify.errors import ConfigError

HOURS_A_MONTH = 730  # AWS's convention: 365 days of 24 hours in 12 months
FALLBACK = "us-east-1"


@dataclass(frozen=True)
class Prices:
    """The prices of one region, in US dollars."""

    region: str  # of the prices, not always the warehouse's
    as_of: date
    source: str
    approximate: frozenset[str]
    amounts: dict[str, float]  # name of a price or node type -> US dollars

    def of(self, name: str) -> float:
        """Return a price by its name; raise ConfigError where the file has none."""
        if name not in self.amounts:
            raise ConfigError(
                f"[DWH] PRICES: {name} has no price in {self.region}. Add it to a copy of prices.toml, and set PRICES"
                " to that copy."
            )
        return self.amounts[name]


def load(region: str, path: str = "") -> Prices:
    """Read the prices of a region from a file, by default the one in this package.

    Raise ConfigError for a file that cannot be read or has another form.
    """
    name = path or "prices.toml"
    try:
        text = Path(path).read_text("utf-8") if path else (files(__package__) / name).read_text("utf-8")
        read = tomllib.loads(text)
        regions = read["regions"]
        of = region if region in regions else FALLBACK
        table = dict(regions[of])
        nodes = table.pop("node_hour", {})
        amounts = {key: float(amount) for key, amount in {**table, **nodes}.items()}
        as_of = read["as_of"]
        if not isinstance(as_of, date):
            raise TypeError
        return Prices(of, as_of, str(read["source"]), frozenset(read.get("approximate", ())), amounts)
    except OSError as error:
        raise ConfigError(f"[DWH] PRICES: {name} cannot be read ({error.strerror}). Name a readable file.") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ConfigError(
            f"[DWH] PRICES: {name} does not have the form of prices.toml (as_of, source, [regions.NAME]). Start from a"
            " copy of that file."
        ) from None


def public_addresses(kind: str) -> int:
    """Return the number of addresses of a public warehouse: probably one for each network interface, none for others.

    Serverless has an interface in each of the template's two subnets, and of a cluster only the leader is public.
    """
    return 2 if kind == "serverless" else 1


def idle_hour(prices: Prices, *, addresses: int) -> float:
    """Return the cost of an hour without compute: the administrator's secret, and public addresses."""
    return prices.of("secret_month") / HOURS_A_MONTH + (addresses and addresses * prices.of("public_address_hour"))
