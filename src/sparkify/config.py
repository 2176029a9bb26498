"""Configuration: dwh.cfg, then the environment, then the command line; the last one to speak wins.

The dataclasses below are the list of what can be set. To add a key, add one line there: the file,
SPARKIFY_<SECTION>_<KEY> and every message follow. No message ever quotes a value, since it may be a secret.
"""

import difflib
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from sparkify.errors import ConfigError

DEFAULT_FILE = Path("dwh.cfg")
DEFAULT_WAREHOUSE = "duckdb:///sparkify.duckdb"
SCHEMES = ("duckdb", "postgresql", "redshift")
ENVIRONMENT_PREFIX = "SPARKIFY_"


def setting(
    section: str, key: str, default: Any = "", *, secret: bool = False, parse: Callable[[str], Any] = str
) -> Any:
    """Declare the section and key that fill a field; a secret stays out of every repr."""
    return field(default=default, repr=not secret, metadata={"section": section, "key": key, "parse": parse})


def whole_number(text: str) -> int:
    """Read a count or a port."""
    if not (text.isascii() and text.isdigit()):
        raise ValueError("must be a whole number, 0 or more")
    return int(text)


def size(text: str) -> int:
    """Read a number of bytes, such as 500MB or 1GiB."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(I?)B?", text.strip().upper())
    number = float(found[1]) * (1024 if found[3] else 1000) ** " KMGT".index(found[2] or " ") if found else 0
    if not 1 <= number < 2**63:
        raise ValueError("must be a size such as 500MB or 1GB")
    return int(number)


def place(text: str) -> str:
    """Read a folder or file, on disk or in S3, whose scheme may be in letters of either size."""
    return f"s3://{text[5:]}" if text[:5].lower() == "s3://" else text


@dataclass(frozen=True)
class Aws:
    """The keys of an AWS account, where boto3's own sources do not serve."""

    key: str = setting("AWS", "KEY", secret=True)
    secret: str = setting("AWS", "SECRET", secret=True)


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
    base_capacity: int = setting("DWH", "BASE_CAPACITY", 4, parse=whole_number)  # RPU
    monthly_limit: int = setting("DWH", "MONTHLY_LIMIT", 40, parse=whole_number)  # US dollars
    allow_from: str = setting("DWH", "ALLOW_FROM")
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
        """The cluster as the URL of a warehouse. A secret: it may hold the password."""
        login = ":".join(quote(part, safe="") for part in (self.db_user, self.db_password) if part)
        return f"redshift://{login}{'@' if login else ''}{self.host}:{self.db_port}/{quote(self.db_name, safe='')}"


@dataclass(frozen=True)
class Config:
    """Everything a run needs to know before it looks at a file or a warehouse."""

    log_data: str = setting("S3", "LOG_DATA", "data/log_data", parse=place)
    song_data: str = setting("S3", "SONG_DATA", "data/song_data", parse=place)
    log_jsonpath: str = setting("S3", "LOG_JSONPATH", parse=place)
    stage: str = setting("S3", "STAGE", parse=place)
    url: str = setting("WAREHOUSE", "URL", secret=True)  # may hold a password
    schema: str = setting("WAREHOUSE", "SCHEMA", "sparkify")
    memory: int = setting("WAREHOUSE", "MEMORY", 1_200_000_000, parse=size)  # bytes that DuckDB may use
    iam_role_arn: str = setting("IAM_ROLE", "ARN")
    aws: Aws = Aws()
    dwh: Dwh = Dwh()
    cluster: Cluster = Cluster()
    path: Path | None = None  # the file that was read, if there was one

    @property
    def warehouse_url(self) -> str:
        """The warehouse: [WAREHOUSE] URL, else the cluster of [CLUSTER], else a DuckDB file here. A secret."""
        return self.url or (self.cluster.url if self.cluster.host else DEFAULT_WAREHOUSE)


KEYS: dict[str, list[str]] = {}  # every section with its keys
for _group in (Aws, Dwh, Cluster, Config):
    for _field in fields(_group):
        if _field.metadata:
            KEYS.setdefault(_field.metadata["section"], []).append(_field.metadata["key"])


class Given(NamedTuple):
    """A value as its author wrote it, and the place to name when it is wrong."""

    text: str
    where: str


Values = dict[tuple[str, str], Given]  # by section and key


def load(
    path: str | Path | None = None,
    *,
    environ: Mapping[str, str] = os.environ,
    log_data: str | None = None,
    song_data: str | None = None,
    warehouse: str | None = None,
) -> Config:
    """Read the configuration; without a path, from dwh.cfg in the working directory if there is one."""
    file = DEFAULT_FILE if path is None else Path(path)
    lines = read_lines(file, may_be_missing=path is None)
    values = (
        from_lines(file, lines or [])
        | from_environment(environ)
        | from_command_line("S3", "LOG_DATA", "--log-data", log_data)
        | from_command_line("S3", "SONG_DATA", "--song-data", song_data)
        | from_command_line("WAREHOUSE", "URL", "--warehouse", warehouse)
    )
    return Config(
        **fill(Config, values),
        aws=Aws(**fill(Aws, values)),
        dwh=Dwh(**fill(Dwh, values)),
        cluster=Cluster(**fill(Cluster, values)),
        path=None if lines is None else file,
    )


def fill(group: type[Aws | Dwh | Cluster | Config], values: Values) -> dict[str, Any]:
    """Give a dataclass the fields that somebody set; the rest keep their defaults."""
    arguments = {}
    for declared in fields(group):
        if not declared.metadata:
            continue
        section, key, parse = (declared.metadata[name] for name in ("section", "key", "parse"))
        given = values.get((section, key))
        if given and given.text:
            try:
                arguments[declared.name] = parse(given.text)
            except ValueError as error:
                raise ConfigError(f"{given.where}: [{section}] {key} {error}.") from None
    return arguments


# The file is read by hand: configparser's errors quote the line, which may hold a password, and it takes an indented
# key for the second line of the value above it.

HEADER = re.compile(r"\[\s*([^\]]+?)\s*\]")
PAIR = re.compile(r"([\w-]+)\s*[=:]\s*([^\0]*)")


def read_lines(file: Path, *, may_be_missing: bool) -> list[str] | None:
    """Read the file's lines, or None when it is missing and may be."""
    try:
        content = file.read_bytes()
        text = content.decode("utf-8-sig")
    except FileNotFoundError:
        if may_be_missing:
            return None
        raise ConfigError(f"{file}: there is no such file. Name one that exists, or leave --config out.") from None
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read ({error.strerror}). Name a file that can.") from None
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{file}:{number}: is not UTF-8. Save the file as UTF-8 text.") from None
    return text.split("\n")


def from_lines(file: Path, lines: Iterable[str]) -> Values:
    """Read sections and their keys, and refuse every line that is neither, nor a comment."""
    values: Values = {}
    section, key_indent = "", None
    for number, line in enumerate(lines, start=1):
        where, content = f"{file}:{number}", line.strip()
        indent = len(line) - len(line.lstrip())
        if not content or content.startswith(("#", ";")):
            continue
        if key_indent is not None and indent > key_indent:
            raise ConfigError(f"{where}: is indented under a key. A value stands on one line, right after its key.")
        if header := HEADER.fullmatch(content):
            section, key_indent = known_section(header[1], where), None
        elif (pair := PAIR.fullmatch(content)) and section:
            key, key_indent = known_key(section, pair[1], where), indent
            if before := values.get((section, key)):
                raise ConfigError(f"{where}: [{section}] {key} is set in {before.where} already. Remove one of them.")
            values[section, key] = Given(unquote(pair[2], f"{where}: [{section}] {key}"), where)
        elif pair:
            raise ConfigError(f"{where}: stands before the first section. Put it under its [SECTION].")
        else:
            raise ConfigError(f"{where}: is not a [SECTION], a KEY = value or a # comment. Correct or remove it.")
    return values


def unquote(text: str, what: str) -> str:
    """Take a pair of quotes off a value."""
    if not text.startswith(("'", '"')):
        return text
    if len(text) == 1 or text[-1] != text[0]:
        raise ConfigError(f"{what} opens a quote that its last character does not close. Close it.")
    return text[1:-1]


def known_section(name: str, where: str) -> str:
    """Spell a section as it is declared, or say which one was meant."""
    if name.upper() not in KEYS:
        raise ConfigError(f"{where}: there is no section [{name}]. The nearest is [{nearest(name, KEYS)}].")
    return name.upper()


def known_key(section: str, name: str, where: str) -> str:
    """Spell a key as it is declared, or say which one was meant."""
    if name.upper() not in KEYS[section]:
        raise ConfigError(f"{where}: [{section}] has no key {name}. The nearest is {nearest(name, KEYS[section])}.")
    return name.upper()


def nearest(name: str, names: Iterable[str]) -> str:
    """Choose the name that looks most like the given one, however little that is."""
    return difflib.get_close_matches(name.upper(), list(names), n=1, cutoff=0)[0]


def from_environment(environ: Mapping[str, str]) -> Values:
    """Read the variables named after a section; others that begin with SPARKIFY_ are none of ours."""
    values: Values = {}
    for section, keys in KEYS.items():
        prefix = f"{ENVIRONMENT_PREFIX}{section}_"
        for variable in environ:
            if not variable.startswith(prefix):
                continue
            key = variable.removeprefix(prefix)
            if key not in keys:
                meant = prefix + nearest(key, keys)
                raise ConfigError(f"{variable}: [{section}] has no key {key}. The nearest is {meant}.")
            if environ[variable]:  # an empty one leaves the file's value in force
                values[section, key] = Given(environ[variable], variable)
    return values


def from_command_line(section: str, key: str, option: str, text: str | None) -> Values:
    """Read an option; an empty one is a mistake (an unset shell variable), and no reason to load something else."""
    if text == "":
        raise ConfigError(f"{option} is empty. Give it a value, or leave it out.")
    return {} if text is None else {(section, key): Given(text, option)}
