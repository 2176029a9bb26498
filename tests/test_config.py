"""Settings from dwh.cfg, the environment and the command line, and errors in them, reported without secrets."""

import re
import traceback
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sparkify import config
from sparkify.config import Cluster, Config, load
from sparkify.errors import ConfigError
from sparkify.warehouse.redshift.login import Address

A_LINE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), min_size=1)

SAMPLE = Path(__file__).parents[1] / "dwh.cfg"

# The dwh.cfg of the original design.
ORIGINAL = """\
[AWS]
KEY=AKIDEXAMPLE
SECRET=wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY

[DWH]
DWH_CLUSTER_TYPE=multi-node
DWH_NUM_NODES=4
DWH_NODE_TYPE=ra3.large
DWH_IAM_ROLE_NAME=dwhRole
DWH_CLUSTER_IDENTIFIER=dwhCluster
DWH_DB=dwh
DWH_DB_USER=dwhuser
DWH_DB_PASSWORD=Passw0rd
DWH_PORT=5440

[CLUSTER]
HOST='dwhcluster.example.redshift.amazonaws.com'
DB_NAME='dwh'
DB_USER='dwhuser'
DB_PASSWORD='100%_sure;#1'
DB_PORT='5440'

[IAM_ROLE]
ARN="arn:aws:iam::123456789012:role/dwhRole"

[S3]
LOG_DATA='s3://bucket/log_data'
LOG_JSONPATH='s3://bucket/log_json_path.json'
SONG_DATA='s3://bucket/song_data'
"""

NO_SETTING = "this is not a setting. The nearest is"
LEVELS = "must be names of at most 16 bytes, separated by commas, without quotes."


def read(folder: Path, text: str | bytes, environ: dict[str, str] | None = None) -> Config:
    """Load a configuration file with this text."""
    file = folder / "dwh.cfg"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(file, environ=environ or {})


def error(folder: Path, text: str | bytes, environ: dict[str, str] | None = None) -> str:
    """Return the message about a text that cannot be loaded, without the folder."""
    with pytest.raises(ConfigError) as caught:
        read(folder, text, environ)
    return str(caught.value).replace(f"{folder}/", "")


def test_the_file_of_the_original_is_read(tmp_path: Path) -> None:
    """Every key of the original design's dwh.cfg is read, without quotes and with numbers as numbers."""
    loaded = read(tmp_path, ORIGINAL)
    assert loaded == Config(
        log_data="s3://bucket/log_data",
        song_data="s3://bucket/song_data",
        log_jsonpath="s3://bucket/log_json_path.json",
        url="",
        iam_role_arn="arn:aws:iam::123456789012:role/dwhRole",
        aws=config.Aws(key="AKIDEXAMPLE", secret="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        dwh=config.Dwh(
            cluster_type="multi-node",
            num_nodes=4,
            node_type="ra3.large",
            iam_role_name="dwhRole",
            cluster_identifier="dwhCluster",
            db="dwh",
            db_user="dwhuser",
            db_password="Passw0rd",
            port=5440,
        ),
        cluster=config.Cluster(
            host="dwhcluster.example.redshift.amazonaws.com",
            db_name="dwh",
            db_user="dwhuser",
            db_password="100%_sure;#1",
            db_port=5440,
        ),
        path=tmp_path / "dwh.cfg",
    )


def test_the_sample_file_lists_the_defaults() -> None:
    """The project's dwh.cfg has every key with its default."""
    assert load(SAMPLE, environ={}) == Config(path=SAMPLE)
    written = re.findall(r"^(?:\[(\w+)\]|(\w+) =)", SAMPLE.read_text(), re.MULTILINE)
    sections = [section for section, key in written if section]
    keys = [key for section, key in written if key]
    assert set(sections) == set(config.KEYS)
    assert sorted(keys) == sorted(key for section in config.KEYS.values() for key in section)


def test_without_a_file_the_defaults_apply(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a dwh.cfg, the sample data go into a DuckDB file."""
    monkeypatch.chdir(tmp_path)
    loaded = load(environ={})
    assert loaded == Config()
    assert (loaded.log_data, loaded.song_data) == ("data/log_data", "data/song_data")
    assert (loaded.warehouse_url, loaded.path) == ("duckdb:///sparkify.duckdb", None)


def test_cluster_is_the_warehouse_unless_a_url_names_another(tmp_path: Path) -> None:
    """[CLUSTER] HOST names the warehouse, unless a URL does."""
    loaded = read(tmp_path, ORIGINAL)
    assert loaded.warehouse_url == (
        "redshift://dwhuser:100%25_sure%3B%231@dwhcluster.example.redshift.amazonaws.com:5440/dwh"
    )
    assert read(tmp_path, ORIGINAL, {"SPARKIFY_WAREHOUSE_URL": "duckdb:///x"}).warehouse_url == "duckdb:///x"


def test_dwh_cfg_in_the_working_directory_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The dwh.cfg in the working directory is read by default."""
    monkeypatch.chdir(tmp_path)
    Path("dwh.cfg").write_text("[S3]\nLOG_DATA = here\n")
    assert load(environ={}) == Config(log_data="here", path=Path("dwh.cfg"))


def test_environment_overrides_file_and_command_line_overrides_both(tmp_path: Path) -> None:
    """For each key, the environment overrides the file, and the command line overrides both."""
    file = tmp_path / "dwh.cfg"
    file.write_text("[S3]\nLOG_DATA = file\nSONG_DATA = file\nLOG_JSONPATH = file\n[WAREHOUSE]\nURL = file\n")
    environ = {"SPARKIFY_S3_LOG_DATA": "env", "SPARKIFY_S3_SONG_DATA": "env", "SPARKIFY_IAM_ROLE_ARN": "env"}
    loaded = load(file, environ=environ, log_data="option", warehouse="option")
    assert (loaded.log_data, loaded.song_data, loaded.log_jsonpath) == ("option", "env", "file")
    assert (loaded.warehouse_url, loaded.iam_role_arn) == ("option", "env")
    assert load(file, environ={}, song_data="option").song_data == "option"


def test_every_key_can_be_set_by_the_environment(tmp_path: Path) -> None:
    """Every key has a variable that sets it."""
    for section, keys in config.KEYS.items():
        for key in keys:
            value = {"EARLIEST": "2018-07-07", "ANONYMOUS": "yes"}.get(key, "7")
            assert read(tmp_path, "", {f"SPARKIFY_{section}_{key}": value}) != read(tmp_path, ""), (section, key)


def test_an_empty_value_is_the_default(tmp_path: Path) -> None:
    """An empty value in the file is the default, and an empty variable is ignored."""
    empty = "[S3]\nLOG_DATA =\nSONG_DATA = ''\n[CLUSTER]\nDB_PORT =\n"
    assert read(tmp_path, empty) == Config(path=tmp_path / "dwh.cfg")
    assert read(tmp_path, "[S3]\nLOG_DATA = file", {"SPARKIFY_S3_LOG_DATA": ""}).log_data == "file"


def test_an_empty_option_is_wrong_usage(tmp_path: Path) -> None:
    """An empty option, as of an unset shell variable, is wrong usage."""
    file = tmp_path / "dwh.cfg"
    file.touch()
    with pytest.raises(ConfigError, match=r"^--log-data is empty\. Give it a value, or omit it\.$"):
        load(file, environ={}, log_data="")


@pytest.mark.parametrize(
    "text",
    [
        "[s3]\nlog_data = here",
        "[ S3 ]\nLog_Data: here",
        "[S3]\r\nLOG_DATA=here\r\n",
        "\ufeff[S3]\nLOG_DATA = here",
        "# a comment\n; another\n\n[S3]\n    # indented\n    SONG_DATA =\n    LOG_DATA = here\n",
        "[S3]\n  LOG_DATA = here\nSONG_DATA =\n",
        "[S3]\n[CLUSTER]\n[S3]\nLOG_DATA = here",
    ],
)
def test_spelling_that_does_not_matter(tmp_path: Path, text: str) -> None:
    """Case, line endings, a byte order mark, comments and indentation do not matter."""
    assert read(tmp_path, text).log_data == "here"


@given(user=A_LINE, password=A_LINE)
@example(user="a:b", password="a/b?c#d@e%2F")
def test_login_of_dwh_cfg_is_the_one_that_is_used(user: str, password: str) -> None:
    """Any user and password in dwh.cfg log in unchanged, and do not affect the host."""
    at = Address.of(Cluster(host="host.example", db_name="dwh", db_user=user, db_password=password).url)
    assert (at.user, at.password) == (user, password)
    assert (at.host, at.port, at.database) == ("host.example", 5439, "dwh")


@given(value=A_LINE)
def test_a_quoted_value_is_unchanged(value: str) -> None:
    """Percent signs, hashes, quotes, equals signs and blanks in quotes are kept."""
    for quote in "'\"":
        lines = ["[CLUSTER]", f"DB_PASSWORD = {quote}{value}{quote}"]
        assert config.from_lines(Path("dwh.cfg"), lines)["CLUSTER", "DB_PASSWORD"].text == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[S4]", "dwh.cfg:1: there is no section [S4]. The nearest is [S3]."),
        ("\n[wharehouse]", "dwh.cfg:2: there is no section [wharehouse]. The nearest is [WAREHOUSE]."),
        ("[DEFAULT]\nHOST = x", "dwh.cfg:1: there is no section [DEFAULT]. The nearest is [ETL]."),
        ("[S3]\nLOG_DAT = x", "dwh.cfg:2: [S3] has no key LOG_DAT. The nearest is LOG_DATA."),
        ("[S3]\nlog-data = x", "dwh.cfg:2: [S3] has no key log-data. The nearest is LOG_DATA."),
        ("[CLUSTER]\nPORT = 1", "dwh.cfg:2: [CLUSTER] has no key PORT. The nearest is DB_PORT."),
        (
            "[S3]\nLOG_DATA =\n[S3]\nlog_data = x",
            "dwh.cfg:4: [S3] LOG_DATA is already set in dwh.cfg:2. Remove one of them.",
        ),
        ("HOST = x\n[CLUSTER]", "dwh.cfg:1: the key is before the first section. Put it under its [SECTION]."),
        (
            "[CLUSTER]\nHOST",
            "dwh.cfg:2: the line is not a [SECTION], a KEY = value or a # comment. Correct or remove it.",
        ),
        (
            "[CLUSTER\nHOST = x",
            "dwh.cfg:1: the line is not a [SECTION], a KEY = value or a # comment. Correct or remove it.",
        ),
        (
            "[CLUSTER]\nHOST = a\0b",
            "dwh.cfg:2: the line is not a [SECTION], a KEY = value or a # comment. Correct or remove it.",
        ),
        (
            "[CLUSTER]\nDB_NAME = a\n\n  DB_USER = b",
            "dwh.cfg:4: the line is indented under a key. Write the value on the line of its key.",
        ),
        (
            "[S3]\nLOG_DATA = 's3://bucket' # ours",
            "dwh.cfg:2: [S3] LOG_DATA begins with a quote and does not end with the same quote. Add or remove one.",
        ),
        (
            "[S3]\nLOG_DATA = '",
            "dwh.cfg:2: [S3] LOG_DATA begins with a quote and does not end with the same quote. Add or remove one.",
        ),
        ("[CLUSTER]\nDB_PORT = 54x9", "dwh.cfg:2: [CLUSTER] DB_PORT must be a whole number, 0 or more."),
        ("[CLUSTER]\nDB_PORT = 5²", "dwh.cfg:2: [CLUSTER] DB_PORT must be a whole number, 0 or more."),
        ("[CONTRACT]\nLEVELS = free,", f"dwh.cfg:2: [CONTRACT] LEVELS {LEVELS}"),
        ("[CONTRACT]\nLEVELS = free, enterprise-annual", f"dwh.cfg:2: [CONTRACT] LEVELS {LEVELS}"),
        (
            "[CONTRACT]\nEARLIEST = 1969-12-31",
            "dwh.cfg:2: [CONTRACT] EARLIEST must be a day such as 2000-01-01, from 1970 to today.",
        ),
        (
            "[CONTRACT]\nEARLIEST = 2001-02-29",
            "dwh.cfg:2: [CONTRACT] EARLIEST must be a day of the calendar, such as 2000-01-01.",
        ),
        (
            "[ETL]\nMAX_REJECTED = 101%",
            "dwh.cfg:2: [ETL] MAX_REJECTED must be a number of records, such as 100, or a share of them, such as 1%.",
        ),
        ('[CONTRACT]\nLEVELS = "free", "paid"', f"dwh.cfg:2: [CONTRACT] LEVELS {LEVELS}"),
        ("[DWH]\nDWH_NUM_NODES = -1", "dwh.cfg:2: [DWH] DWH_NUM_NODES must be a whole number, 0 or more."),
        (b"[S3]\n# M\xfcnchen", "dwh.cfg:2: the line is not UTF-8. Save the file as UTF-8 text."),
        ("[S3]\n".encode("utf-16"), "dwh.cfg:1: the line is not UTF-8. Save the file as UTF-8 text."),
    ],
)
def test_a_mistake_is_reported_with_file_and_line(tmp_path: Path, text: str | bytes, message: str) -> None:
    """A mistake is reported with its file, line and remedy."""
    assert error(tmp_path, text) == message


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        (
            "SPARKIFY_S3_LOG_DAT",
            f"SPARKIFY_S3_LOG_DAT: {NO_SETTING} SPARKIFY_S3_LOG_DATA. Correct the name, or unset it.",
        ),
        ("SPARKIFY_DWH_PORT", f"SPARKIFY_DWH_PORT: {NO_SETTING} SPARKIFY_DWH_DWH_PORT. Correct the name, or unset it."),
        ("SPARKIFY_LOG_DATA", f"SPARKIFY_LOG_DATA: {NO_SETTING} SPARKIFY_S3_LOG_DATA. Correct the name, or unset it."),
        (
            "SPARKIFY_WAREHOUSE",
            f"SPARKIFY_WAREHOUSE: {NO_SETTING} SPARKIFY_WAREHOUSE_URL. Correct the name, or unset it.",
        ),
        ("SPARKIFY_CLUSTER_DB_PORT", "SPARKIFY_CLUSTER_DB_PORT: [CLUSTER] DB_PORT must be a whole number, 0 or more."),
    ],
)
def test_a_mistake_in_the_environment_is_reported_with_its_variable(
    tmp_path: Path, variable: str, message: str
) -> None:
    """A mistake in the environment is reported with its variable."""
    assert error(tmp_path, "", {variable: "x"}) == message


def test_variables_of_others_are_ignored(tmp_path: Path) -> None:
    """Variables of other programs are ignored, and so are those of the project's tests and documents."""
    environ = dict.fromkeys(["S3_LOG_DATA", "AWS_SECRET", *config.OTHER_VARIABLES], "x")
    assert read(tmp_path, "", environ) == read(tmp_path, "")


@pytest.mark.parametrize(
    ("text", "limit"),
    [("100", config.Limit(100)), ("0", config.Limit(0)), ("1.5%", config.Limit(0.015, is_share=True))],
)
def test_limit_of_rejected_records_is_a_number_or_a_share(tmp_path: Path, text: str, limit: config.Limit) -> None:
    """[ETL] MAX_REJECTED is a number of records or a share of them, and the option overrides it."""
    assert read(tmp_path, f"[ETL]\nMAX_REJECTED = {text}").max_rejected == limit
    assert load(tmp_path / "dwh.cfg", environ={}, max_rejected="7%").max_rejected == config.Limit(0.07, is_share=True)


def test_a_named_file_must_be_readable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file named by the user, or a dwh.cfg, must be readable."""
    with pytest.raises(ConfigError, match=r"other\.cfg: there is no such file\. Name one that exists"):
        load(tmp_path / "other.cfg", environ={})
    with pytest.raises(ConfigError, match=r"cannot be read \(Is a directory\)\. Name a readable file\.$"):
        load(tmp_path, environ={})
    (tmp_path / "dwh.cfg").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"^dwh\.cfg: the file cannot be read \(Is a directory\)"):
        load(environ={})


SECRET_KEYS = [
    ("AWS", "KEY"),
    ("AWS", "SECRET"),
    ("DWH", "DWH_DB_PASSWORD"),
    ("CLUSTER", "DB_PASSWORD"),
    ("WAREHOUSE", "URL"),
]


@pytest.mark.parametrize(("section", "key"), SECRET_KEYS)
def test_no_secret_is_in_a_repr(tmp_path: Path, section: str, key: str) -> None:
    """The representation of a configuration shows no password and no key."""
    for loaded in (
        read(tmp_path, f"[{section}]\n{key} = hunter2"),
        read(tmp_path, "", {f"SPARKIFY_{section}_{key}": "hunter2"}),
    ):
        assert loaded != read(tmp_path, ""), "the secret was not read"
        assert "hunter2" not in f"{loaded!r} {loaded} {loaded.aws} {loaded.dwh} {loaded.cluster}"


@pytest.mark.parametrize(("section", "key"), SECRET_KEYS)
@pytest.mark.parametrize(
    "line",
    [
        "{key} hunter2",
        "{key} hunter2=",
        "{key}; hunter2",
        "{key} = 'hunter2",
        "{key}X = hunter2",
        "{key} = hunter2\n{key} = hunter2",
        "{key} =\n  hunter2",
        "{key} =\n  hunter2==",
        "{key} =\nhunter2",
        "{key} = hunter2\n[hunter",
        "{key} = hunter2\0",
        "{key} = hunter2\udcff",
    ],
)
def test_no_secret_is_in_an_error(tmp_path: Path, section: str, key: str, line: str) -> None:
    """The message and the traceback about a broken line do not quote a secret in it."""
    text = f"[{section}]\n{line.format(key=key)}\n".encode(errors="surrogateescape")
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))
    assert f"dwh.cfg:{2 + line.count(chr(10))}" in str(caught.value)


def test_a_wrong_number_is_not_quoted(tmp_path: Path) -> None:
    """A password in place of the port is not quoted."""
    assert "hunter2" not in error(tmp_path, "[CLUSTER]\nDB_PORT = hunter2")
    assert "hunter2" not in error(tmp_path, "", {"SPARKIFY_CLUSTER_DB_PORT": "hunter2"})


@pytest.mark.parametrize("scheme", ["s3://", "S3://"])
def test_scheme_of_s3_matches_in_any_case(tmp_path: Path, scheme: str) -> None:
    """S3:// names the same place as s3://."""
    file = tmp_path / "dwh.cfg"
    keys = ("LOG_DATA", "SONG_DATA", "LOG_JSONPATH", "STAGE")
    file.write_text("[S3]\n" + "".join(f"{key} = {scheme}Bucket/Folder\n" for key in keys))
    loaded = config.load(file, environ={}, log_data=f"{scheme}Bucket/Folder")
    assert {loaded.log_data, loaded.song_data, loaded.log_jsonpath, loaded.stage} == {"s3://Bucket/Folder"}
    assert config.load(file, environ={}, log_data="S3/Folder").log_data == "S3/Folder"
