"""The planned warehouse: dwh.cfg, validated, as parameters of a template. It makes no request and changes nothing."""

import os
from dataclasses import dataclass

from sparkify.aws.cluster import addresses, prices, template
from sparkify.aws.cluster.prices import Prices
from sparkify.aws.cluster.template import Resource
from sparkify.aws.cluster.validation import (
    ADMIN,
    HAVE_SMALLEST_RPU,
    LARGEST_RPU_EVERYWHERE,
    PROVISIONED,
    SERVERLESS,
    SMALLEST_RPU,
    SMALLEST_RPU_EVERYWHERE,
    SYSTEM_DATABASES,
    SYSTEM_USERS,
    base_capacity,
    check_identifier,
    check_permissions_boundary,
    check_port,
    check_role_name,
    folder_parameters,
    node_choice,
    stack_name,
    stage_parameters,
    warehouse_kind,
    warehouse_name,
)
from sparkify.config import Config
from sparkify.errors import ConfigError


@dataclass(frozen=True)
class Plan:
    """The warehouse that dwh.cfg describes."""

    stack: str
    kind: str
    name: str  # of the workgroup and namespace, or of the cluster
    region: str  # "" for the region of the AWS profile
    parameters: dict[str, str]  # of the template, without Zones, which only AWS knows
    base_capacity: int  # RPU; Serverless only
    limit: int  # US dollars a month; Serverless only
    node_type: str
    nodes: int
    prices: Prices
    password_is_ignored: bool

    @property
    def allow_from(self) -> str:
        """The addresses that can connect, or ""."""
        return self.parameters["AllowFrom"]

    @property
    def rpu_hours(self) -> int:
        """The RPU-hours a month after which Serverless refuses queries; 0 for a cluster, which has no limit."""
        return int(self.limit / self.prices.of("serverless_rpu_hour")) if self.kind == SERVERLESS else 0

    @property
    def command(self) -> str:
        """The command that sets this warehouse up, or continues an interrupted setup."""
        return "sparkify cluster setup" + (f" --allow-from {self.allow_from}" if self.allow_from else "")

    @property
    def capacity(self) -> str:
        """The compute capacity, in words."""
        if self.kind == SERVERLESS:
            return f"{self.base_capacity} RPU, Serverless"
        return f"{self.nodes} x {self.node_type}"

    @property
    def notes(self) -> list[str]:
        """The sentences on a capacity that AWS may not offer in this region; it refuses it minutes after the start."""
        if self.kind != SERVERLESS or not self.region:
            return []
        if self.base_capacity > LARGEST_RPU_EVERYWHERE:
            return [f"Not every region has more than {LARGEST_RPU_EVERYWHERE} RPU."]
        if self.region in HAVE_SMALLEST_RPU or self.base_capacity > SMALLEST_RPU_EVERYWHERE:
            return []
        if self.base_capacity == SMALLEST_RPU:
            return [f"{self.region} is not known to have {SMALLEST_RPU} RPU."]
        return [f"{SMALLEST_RPU_EVERYWHERE} RPU is the least that {self.region} is known to have."]

    @property
    def costs(self) -> dict[str, tuple[float, str]]:
        """The costs by label, in US dollars, each with its components; raise ConfigError for a missing price."""
        idle = prices.idle_hour(self.prices, addresses=prices.public_addresses(self.kind) if self.allow_from else 0)
        if self.kind == SERVERLESS:
            price = self.prices.of("serverless_rpu_hour")
            costs = {
                "an hour of work": (
                    self.base_capacity * price + idle,
                    f"{self.base_capacity} RPU x {price}; more while AWS scales up",
                ),
                "a day idle": (
                    24 * idle,
                    "no compute; the secret" + (" and public addresses" if self.allow_from else ""),
                ),
                "a month": (
                    self.rpu_hours * price + prices.HOURS_A_MONTH * idle,
                    f"at most: {self.rpu_hours:,} RPU-hours, then queries are refused",
                ),
            }
        else:
            price = self.prices.of(self.node_type)
            hour = self.nodes * price + idle
            costs = {
                "an hour of work": (hour, f"{self.nodes} x {price}, busy or idle"),
                "a day idle": (24 * hour, "the same as a busy day; paused: storage only"),
                "a month": (prices.HOURS_A_MONTH * hour, f"{prices.HOURS_A_MONTH} hours, never paused"),
            }
        storage = 100 * self.prices.of("storage_gb_month")
        return costs | {"100 GB, a month": (storage, "storage in the warehouse, not included above")}

    @property
    def price_names(self) -> set[str]:
        """The names of the prices from which the cost is calculated."""
        compute = "serverless_rpu_hour" if self.kind == SERVERLESS else self.node_type
        return {compute, "storage_gb_month", "secret_month"} | ({"public_address_hour"} if self.allow_from else set())

    @property
    def resources(self) -> list[Resource]:
        """Every resource that the stack creates."""
        return template.resources(self.kind, self.parameters)

    @property
    def policy(self) -> list[str]:
        """The permissions of the warehouse's role, in words, one a line."""
        sources = [
            f"read             s3://{self.parameters[f'{what}Bucket']}/{self.parameters[f'{what}Prefix']}"
            for what in ("Log", "Song")
            if self.parameters[f"{what}Bucket"]
        ]
        own = self.parameters["OwnStageBucket"]
        stage = f"s3://{own}/" if own else "the stack's own bucket, "
        return [*sources, f"read and write   {stage}{self.parameters['StagePrefix']}", "nothing else"]


def plan(config: Config, allow_from: str | None = None, region: str = "", snapshot: str = "") -> Plan:
    """Return the plan of the warehouse that dwh.cfg describes; `allow_from` overrides [DWH] ALLOW_FROM.

    `region` is that of the AWS profile, if it is known. A new warehouse begins with the content of `snapshot`.

    Raise ConfigError for values that AWS does not accept.
    """
    dwh = config.dwh
    kind = warehouse_kind(dwh)
    region = region or dwh.region or os.environ.get("AWS_DEFAULT_REGION") or ""  # boto3 ignores AWS_REGION
    known = prices.load(region, dwh.prices)
    node_type, nodes = node_choice(dwh, known) if kind == PROVISIONED else ("", 0)
    capacity = base_capacity(dwh, region) if kind == SERVERLESS else 0
    name = warehouse_name(dwh, kind)
    planned = Plan(
        stack=stack_name(dwh),
        kind=kind,
        name=name,
        region=region,
        parameters={
            "Name": name,
            "DatabaseName": check_identifier(dwh.db, "DWH_DB", SYSTEM_DATABASES),
            "AdminUser": check_identifier(dwh.db_user or ADMIN, "DWH_DB_USER", SYSTEM_USERS),
            "Port": str(check_port(dwh.port)),
            "AllowFrom": addresses.allowed(dwh.allow_from if allow_from is None else allow_from),
            "RoleName": check_role_name(dwh.iam_role_name),
            **folder_parameters("Log", config.log_data, "LOG_DATA"),
            **folder_parameters("Song", config.song_data, "SONG_DATA"),
            **stage_parameters(config.stage),
            "PermissionsBoundary": check_permissions_boundary(dwh.permissions_boundary),
            "SnapshotName": snapshot,
            **(
                {"BaseCapacity": str(capacity)}
                if kind == SERVERLESS
                else {"NodeType": node_type, "NumberOfNodes": str(nodes)}
            ),
        },
        base_capacity=capacity,
        limit=dwh.monthly_limit,
        node_type=node_type,
        nodes=nodes,
        prices=known,
        password_is_ignored=bool(dwh.db_password),
    )
    check_cost(planned)
    return planned


def check_cost(planned: Plan) -> None:
    """Raise ConfigError where a price is missing, or the limit is less than the price of one RPU-hour."""
    _ = planned.costs
    if planned.kind == SERVERLESS and planned.rpu_hours < 1:
        raise ConfigError(
            f"[DWH] MONTHLY_LIMIT: {planned.limit} dollars are less than the price of one RPU-hour."
            f" Raise it to {int(planned.prices.of('serverless_rpu_hour')) + 1} or more."
        )
