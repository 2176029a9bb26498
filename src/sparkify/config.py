"""Configuration from dwh.cfg, the environment and the command line; each overrides the one before it.

The dataclasses below declare every key. To add a key, add one line there: the file, SPARKIFY_<SECTION>_<KEY> and the
messages follow. No message quotes a value, since it may be a secret.
"""

import difflib
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from sparkify.errors import ConfigError

DEFAULT_FILE = Path("dwh.cfg")
DEFAULT_WAREHOUSE = "duckdb:///sparkify.duckdb"
SCHEMES = ("duckdb", "postgresql", "redshift")
ENVIRONMENT_PREFIX = "SPARKIFY_"

OTHER_VARIABLES = {
    "SPARKIFY_DUCKDB_FILE",  # of the dbt project and the notebook in docs/bi
    "SPARKIFY_NO_REAL_DATA",  # of the tests, like the next ones
    "SPARKIFY_REAL_DATA",
    "SPARKIFY_TEST_POSTGRES",
}
"""The variables with this prefix that are not settings: other programs of the project read them."""


@dataclass(frozen=True)
class Limit:
    """The number of records that may be rejected, or their share of the records read."""

    number: float
    is_share: bool = False

    def is_exceeded(self, rejected: int, read: int) -> bool:
        """Return whether more records were rejected than allowed."""
        return rejected > (self.number * read if self.is_share else self.number)


def setting(
    section: str, key: str, default: Any = "", *, secret: bool = False, parse: Callable[[str], Any] = str
) -> Any:
    """Declare the section and key of a field; a secret is left out of every repr."""
    return field(default=default, repr=not secret, metadata={"section": section, "key": key, "parse": parse})


def whole_number(text: str) -> int:
    """Parse a count or a port."""
    if not (text.isascii() and text.isdigit()):
        raise ValueError("must be a whole number, 0 or more")
    return int(text)


def seconds(text: str) -> int:
    """Parse a time such as 90, 90s, 5m or 1h, at most a day."""
    match = re.fullmatch(r"([0-9]{1,6})\s*([smh]?)", text.strip().lower())
    number = int(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]] if match else 86_401
    if number > 86_400:
        raise ValueError("must be a time such as 90, 90s, 5m or 1h, at most a day")
    return number


def size(text: str) -> int:
    """Parse a number of bytes, such as 500MB or 1GiB."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(I?)B?", text.strip().upper())
    number = float(match[1]) * (1024 if match[3] else 1000) ** " KMGT".index(match[2] or " ") if match else 0
    if not 1 <= number < 2**63:
        raise ValueError("must be a size such as 500MB or 1GB")
    return int(number)


def limit(text: str) -> Limit:
    """Parse a number of records, such as 100, or a share of them, such as 1%."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(%?)", text.strip())
    if not match or (not match[2] and "." in match[1]) or (match[2] and float(match[1]) > 100):
        raise ValueError("must be a number of records, such as 100, or a share of them, such as 1%")
    return Limit(float(match[1]) / 100, is_share=True) if match[2] else Limit(int(match[1]))


def location(text: str) -> str:
    """Parse the path of a folder or file, on disk or in S3; the scheme may be in upper or lower case."""
    return f"s3://{text[5:]}" if text[:5].lower() == "s3://" else text


def yes_or_no(text: str) -> bool:
    """Parse true or false, also written as yes or no, on or off, 1 or 0."""
    values = dict.fromkeys(("true", "yes", "on", "1"), True) | dict.fromkeys(("false", "no", "off", "0"), False)
    if text.lower() not in values:
        raise ValueError("must be true or false")
    return values[text.lower()]


def levels(text: str) -> tuple[str, ...]:
    """Parse a list of subscription levels, separated by commas; their column takes 16 bytes."""
    parsed = tuple(name.strip() for name in text.split(","))
    if not all(0 < len(name.encode()) <= 16 and not set("\"';") & set(name) for name in parsed):
        raise ValueError("must be names of at most 16 bytes, separated by commas, without quotes")
    return parsed


def day(text: str) -> date:
    """Parse a day such as 2000-01-01, from 1970 to today."""
    today = datetime.now(UTC).date()
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", text) or not "1970-01-01" <= text <= today.isoformat():
        raise ValueError("must be a day such as 2000-01-01, from 1970 to today")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError("must be a day of the calendar, such as 2000-01-01") from None


@dataclass(frozen=True)
class Aws:
    """The access keys of an AWS account, for when boto3's own sources do not apply; or none, for public buckets."""

    key: str = setting("AWS", "KEY", secret=True)
    secret: str = setting("AWS", "SECRET", secret=True)
    anonymous: bool = setting("S3", "ANONYMOUS", False, parse=yes_or_no)  # for the sources only


@dataclass(frozen=True)
class Dwh:
    """The cluster to set up."""

    cluster_type: str = setting("DWH", "DWH_CLUSTER_TYPE")
    num_nodes: int | None = setting("DWH", "DWH_NUM_NODES", None, parse=whole_number)
    node_type: str = setting("DWH", "DWH_NODE_TYPE")
    iam_role_name: str = setting("DWH", "DWH_IAM_ROLE_NAME")
    cluster_identifier: str = setting("DWH", "DWH_CLUSTER_IDENTIFIER")
    db: str = setting("DWH", "DWH_DB", "sparkifydb")
    db_user: str = setting("DWH", "DWH_DB_USER")
    db_password: str = setting("DWH", "DWH_DB_PASSWORD", secret=True)
    port: int = setting("DWH", "DWH_PORT", 5439, parse=whole_number)
    kind: str = setting("DWH", "KIND")
    stack: str = setting("DWH", "STACK", "sparkify")
    region: str = setting("DWH", "REGION")
    base_capacity: int | None = setting("DWH", "BASE_CAPACITY", None, parse=whole_number)  # RPU
    monthly_limit: int = setting("DWH", "MONTHLY_LIMIT", 40, parse=whole_number)  # US dollars
    allow_from: str = setting("DWH", "ALLOW_FROM")
    permissions_boundary: str = setting("DWH", "PERMISSIONS_BOUNDARY")
    prices: str = setting("DWH", "PRICES")


@dataclass(frozen=True)
class Cluster:
    """The cluster to load."""

    host: str = setting("CLUSTER", "HOST")
    db_name: str = setting("CLUSTER", "DB_NAME", "sparkifydb")
    db_user: str = setting("CLUSTER", "DB_USER")
    db_password: str = setting("CLUSTER", "DB_PASSWORD", secret=True)
    db_port: int = setting("CLUSTER", "DB_PORT", 5439, parse=whole_number)

    @property
    def url(self) -> str:
        """The URL of the cluster. A secret: it may hold the password."""
        login = ":".join(quote(part, safe="") for part in (self.db_user, self.db_password) if part)
        return f"redshift://{login}{'@' if login else ''}{self.host}:{self.db_port}/{quote(self.db_name, safe='')}"


@dataclass(frozen=True)
class Rules:
    """The rules of the contract that depend on the music service."""

    levels: tuple[str, ...] = setting("CONTRACT", "LEVELS", ("free", "paid"), parse=levels)
    earliest: date = setting("CONTRACT", "EARLIEST", date(2000, 1, 1), parse=day)  # of an event, in UTC


@dataclass(frozen=True)
class Config:
    """The whole configuration."""

    log_data: str = setting("S3", "LOG_DATA", "data/log_data", parse=location)
    song_data: str = setting("S3", "SONG_DATA", "data/song_data", parse=location)
    log_jsonpath: str = setting("S3", "LOG_JSONPATH", parse=location)
    stage: str = setting("S3", "STAGE", parse=location)
    url: str = setting("WAREHOUSE", "URL", secret=True)  # can hold a password
    schema: str = setting("WAREHOUSE", "SCHEMA", "sparkify")
    wait: int = setting("WAREHOUSE", "WAIT", 300, parse=seconds)  # for a DuckDB file that others have open
    lock_timeout: int = setting("WAREHOUSE", "LOCK_TIMEOUT", 0, parse=seconds)  # on a server; 0: no limit
    memory: int = setting("WAREHOUSE", "MEMORY", 1_200_000_000, parse=size)  # bytes, for DuckDB
    max_rejected: Limit | None = setting("ETL", "MAX_REJECTED", None, parse=limit)
    iam_role_arn: str = setting("IAM_ROLE", "ARN")
    aws: Aws = Aws()
    dwh: Dwh = Dwh()
    cluster: Cluster = Cluster()
    contract: Rules = Rules()
    path: Path | None = None  # the file that was read, if any
    is_exposed: bool = field(default=False, compare=False)  # others have access to its passwords or keys

    @property
    def warehouse_url(self) -> str:
        """The URL of the warehouse: [WAREHOUSE] URL, else the cluster of [CLUSTER], else a DuckDB file. A secret."""
        return self.url or (self.cluster.url if self.cluster.host else DEFAULT_WAREHOUSE)


OF_OTHERS = 0o077  # the permissions of a file that are not its owner's

KEYS: dict[str, list[str]] = {}  # section -> keys
SECRETS: set[tuple[str, str]] = set()  # (section, key)
for _group in (Aws, Dwh, Cluster, Rules, Config):
    for _field in fields(_group):
        if _field.metadata:
            KEYS.setdefault(_field.metadata["section"], []).append(_field.metadata["key"])
            if not _field.repr:
                SECRETS.add((_field.metadata["section"], _field.metadata["key"]))


class RawValue(NamedTuple):
    """An unparsed value, and the place that an error message names."""

    text: str
    where: str


Values = dict[tuple[str, str], RawValue]  # (section, key) -> value


def load(
    path: str | Path | None = None,
    *,
    environ: Mapping[str, str] = os.environ,
    log_data: str | None = None,
    song_data: str | None = None,
    warehouse: str | None = None,
    wait: str | None = None,
    anonymous: bool = False,
    max_rejected: str | None = None,
) -> Config:
    """Load the configuration; without a path, dwh.cfg in the working directory is read if it exists."""
    file = DEFAULT_FILE if path is None else Path(path)
    lines = read_lines(file, may_be_missing=path is None)
    of_file = from_lines(file, lines or [])
    values = (
        of_file
        | from_environment(environ)
        | from_command_line("S3", "LOG_DATA", "--log-data", log_data)
        | from_command_line("S3", "SONG_DATA", "--song-data", song_data)
        | from_command_line("WAREHOUSE", "URL", "--warehouse", warehouse)
        | from_command_line("WAREHOUSE", "WAIT", "--wait", wait)
        | from_command_line("S3", "ANONYMOUS", "--no-sign-request", "true" if anonymous else None)
        | from_command_line("ETL", "MAX_REJECTED", "--max-rejected", max_rejected)
    )
    return Config(
        **fill(Config, values),
        aws=Aws(**fill(Aws, values)),
        dwh=Dwh(**fill(Dwh, values)),
        cluster=Cluster(**fill(Cluster, values)),
        contract=Rules(**fill(Rules, values)),
        path=None if lines is None else file,
        is_exposed=has_secret(of_file) and bool(file.stat().st_mode & OF_OTHERS),
    )


def has_secret(values: Values) -> bool:
    """Return whether any value is a password or a key; a URL is one if it contains a password."""
    return any(
        value.text and (key != "URL" or re.search(r"://[^/@]*:[^@]*@|[?&]password=", value.text))
        for (section, key), value in values.items()
        if (section, key) in SECRETS
    )


def fill(group: type[Aws | Dwh | Cluster | Rules | Config], values: Values) -> dict[str, Any]:
    """Return the arguments of a dataclass: the fields that are set. The others keep their defaults."""
    arguments = {}
    for declared in fields(group):
        if not declared.metadata:
            continue
        section, key, parse = (declared.metadata[name] for name in ("section", "key", "parse"))
        value = values.get((section, key))
        if value and value.text:
            try:
                arguments[declared.name] = parse(value.text)
            except ValueError as error:
                raise ConfigError(f"{value.where}: [{section}] {key} {error}.") from None
    return arguments


# configparser is not used: its errors quote the line, which may hold a password, and it reads an indented key as a
# continuation of the value above.

HEADER = re.compile(r"\[\s*([^\]]+?)\s*\]")
PAIR = re.compile(r"([\w-]+)\s*[=:]\s*([^\0]*)")


def read_lines(file: Path, *, may_be_missing: bool) -> list[str] | None:
    """Read the lines of the file; return None for a missing file if `may_be_missing`."""
    try:
        content = file.read_bytes()
        text = content.decode("utf-8-sig")
    except FileNotFoundError:
        if may_be_missing:
            return None
        raise ConfigError(f"{file}: there is no such file. Name one that exists, or omit --config.") from None
    except OSError as error:
        raise ConfigError(f"{file}: the file cannot be read ({error.strerror}). Name a readable file.") from None
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{file}:{number}: the line is not UTF-8. Save the file as UTF-8 text.") from None
    return text.split("\n")


def from_lines(file: Path, lines: Iterable[str]) -> Values:
    """Parse sections and keys; raise ConfigError for a line that is not a section, a key or a comment."""
    values: Values = {}
    section, key_indent = "", None
    for number, line in enumerate(lines, start=1):
        where, content = f"{file}:{number}", line.strip()
        indent = len(line) - len(line.lstrip())
        if not content or content.startswith(("#", ";")):
            continue
        if key_indent is not None and indent > key_indent:
            raise ConfigError(f"{where}: the line is indented under a key. Write the value on the line of its key.")
        if header := HEADER.fullmatch(content):
            section, key_indent = known_section(header[1], where), None
        elif (pair := PAIR.fullmatch(content)) and section:
            key, key_indent = known_key(section, pair[1], where), indent
            if before := values.get((section, key)):
                raise ConfigError(f"{where}: [{section}] {key} is already set in {before.where}. Remove one of them.")
            values[section, key] = RawValue(unquote(pair[2], f"{where}: [{section}] {key}"), where)
        elif pair:
            raise ConfigError(f"{where}: the key is before the first section. Put it under its [SECTION].")
        else:
            raise ConfigError(
                f"{where}: the line is not a [SECTION], a KEY = value or a # comment. Correct or remove it."
            )
    return values


def unquote(text: str, where: str) -> str:
    """Remove the quotes around a value."""
    if not text.startswith(("'", '"')):
        return text
    if len(text) == 1 or text[-1] != text[0]:
        raise ConfigError(f"{where} begins with a quote and does not end with the same quote. Add or remove one.")
    return text[1:-1]


def known_section(name: str, where: str) -> str:
    """Return a section's declared spelling; raise ConfigError for an unknown section."""
    if name.upper() not in KEYS:
        raise ConfigError(f"{where}: there is no section [{name}]. The nearest is [{nearest(name, KEYS)}].")
    return name.upper()


def known_key(section: str, name: str, where: str) -> str:
    """Return a key's declared spelling; raise ConfigError for an unknown key."""
    if name.upper() not in KEYS[section]:
        raise ConfigError(f"{where}: [{section}] has no key {name}. The nearest is {nearest(name, KEYS[section])}.")
    return name.upper()


def nearest(name: str, names: Iterable[str]) -> str:
    """Return the name most similar to the given one, even if none is close."""
    return difflib.get_close_matches(name.upper(), list(names), n=1, cutoff=0)[0]


def from_environment(environ: Mapping[str, str]) -> Values:
    """Read the variables that name a setting; raise ConfigError for another one that begins with SPARKIFY_."""
    settings = {f"{ENVIRONMENT_PREFIX}{section}_{key}": (section, key) for section in KEYS for key in KEYS[section]}
    values: Values = {}
    for variable in environ:
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable in OTHER_VARIABLES:
            continue
        if variable not in settings:
            suggestion = nearest(variable, settings)
            raise ConfigError(
                f"{variable}: this is not a setting. The nearest is {suggestion}. Correct the name, or unset it."
            )
        if environ[variable]:  # an empty variable keeps the file's value
            values[settings[variable]] = RawValue(environ[variable], variable)
    return values


def from_command_line(section: str, key: str, option: str, text: str | None) -> Values:
    """Read an option; raise ConfigError for an empty value, which usually comes from an unset shell variable."""
    if text == "":
        raise ConfigError(f"{option} is empty. Give it a value, or omit it.")
    return {} if text is None else {(section, key): RawValue(text, option)}
