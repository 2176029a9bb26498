"""dwh.cfg, the environment and the command line: what is read, what is refused, and what is never shown."""

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

# As users of the original pipeline have it.
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


def read(folder: Path, text: str | bytes, environ: dict[str, str] | None = None) -> Config:
    """Load a configuration file that holds this text."""
    file = folder / "dwh.cfg"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(file, environ=environ or {})


def refusal(folder: Path, text: str | bytes, environ: dict[str, str] | None = None) -> str:
    """Return the message with which this text is refused, without the folder."""
    with pytest.raises(ConfigError) as caught:
        read(folder, text, environ)
    return str(caught.value).replace(f"{folder}/", "")


def test_the_originals_file_is_read_as_it_is(tmp_path: Path) -> None:
    """Every key of the original's dwh.cfg arrives, quotes taken off and numbers made numbers."""
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


def test_the_sample_file_says_what_the_defaults_are() -> None:
    """Every key stands in the project's dwh.cfg, with its default, so that the file can be trusted as a list."""
    assert load(SAMPLE, environ={}) == Config(path=SAMPLE)
    written = re.findall(r"^(?:\[(\w+)\]|(\w+) =)", SAMPLE.read_text(), re.MULTILINE)
    sections = [section for section, key in written if section]
    keys = [key for section, key in written if key]
    assert set(sections) == set(config.KEYS)
    assert sorted(keys) == sorted(key for section in config.KEYS.values() for key in section)


def test_without_a_file_the_defaults_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory without dwh.cfg is fine: the sample data goes into a DuckDB file."""
    monkeypatch.chdir(tmp_path)
    loaded = load(environ={})
    assert loaded == Config()
    assert (loaded.log_data, loaded.song_data) == ("data/log_data", "data/song_data")
    assert (loaded.warehouse_url, loaded.path) == ("duckdb:///sparkify.duckdb", None)


def test_cluster_is_the_warehouse_unless_a_url_names_another(tmp_path: Path) -> None:
    """The original's dwh.cfg names its cluster by HOST, and that is where it loads; a URL has the last word."""
    loaded = read(tmp_path, ORIGINAL)
    assert loaded.warehouse_url == (
        "redshift://dwhuser:100%25_sure%3B%231@dwhcluster.example.redshift.amazonaws.com:5440/dwh"
    )
    assert read(tmp_path, ORIGINAL, {"SPARKIFY_WAREHOUSE_URL": "duckdb:///x"}).warehouse_url == "duckdb:///x"


def test_dwh_cfg_in_the_working_directory_is_read_unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file need not be named when it has its usual name and place."""
    monkeypatch.chdir(tmp_path)
    Path("dwh.cfg").write_text("[S3]\nLOG_DATA = here\n")
    assert load(environ={}) == Config(log_data="here", path=Path("dwh.cfg"))


def test_environment_overrides_file_and_command_line_overrides_both(tmp_path: Path) -> None:
    """Of file, environment and command line, the last one to speak wins, key by key."""
    file = tmp_path / "dwh.cfg"
    file.write_text("[S3]\nLOG_DATA = file\nSONG_DATA = file\nLOG_JSONPATH = file\n[WAREHOUSE]\nURL = file\n")
    environ = {"SPARKIFY_S3_LOG_DATA": "env", "SPARKIFY_S3_SONG_DATA": "env", "SPARKIFY_IAM_ROLE_ARN": "env"}
    loaded = load(file, environ=environ, log_data="option", warehouse="option")
    assert (loaded.log_data, loaded.song_data, loaded.log_jsonpath) == ("option", "env", "file")
    assert (loaded.warehouse_url, loaded.iam_role_arn) == ("option", "env")
    assert load(file, environ={}, song_data="option").song_data == "option"


def test_every_key_can_be_set_by_the_environment(tmp_path: Path) -> None:
    """Each declared key has its variable, and setting it changes the configuration."""
    for section, keys in config.KEYS.items():
        for key in keys:
            value = {"COMPACT": "always"}.get(key, "7")
            assert read(tmp_path, "", {f"SPARKIFY_{section}_{key}": value}) != read(tmp_path, ""), (section, key)


def test_an_empty_value_is_no_value(tmp_path: Path) -> None:
    """Empty in the file is the default, and empty in the environment leaves the file in force."""
    empty = "[S3]\nLOG_DATA =\nSONG_DATA = ''\n[CLUSTER]\nDB_PORT =\n"
    assert read(tmp_path, empty) == Config(path=tmp_path / "dwh.cfg")
    assert read(tmp_path, "[S3]\nLOG_DATA = file", {"SPARKIFY_S3_LOG_DATA": ""}).log_data == "file"


def test_an_empty_option_is_refused(tmp_path: Path) -> None:
    """--log-data "$UNSET" must not load what the file happens to name."""
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
    """Case, line endings, a byte order mark, comments and an even indentation change nothing."""
    assert read(tmp_path, text).log_data == "here"


@given(user=A_LINE, password=A_LINE)
@example(user="a:b", password="a/b?c#d@e%2F")
def test_login_of_dwh_cfg_is_the_one_that_is_used(user: str, password: str) -> None:
    """Whatever is in the cluster's user and password, a slash among it: that logs in, and where to stays as it is."""
    at = Address.of(Cluster(host="host.example", db_name="dwh", db_user=user, db_password=password).url)
    assert (at.user, at.password) == (user, password)
    assert (at.host, at.port, at.database) == ("host.example", 5439, "dwh")


@given(value=A_LINE)
def test_a_quoted_value_arrives_as_it_was_written(value: str) -> None:
    """Percent signs, hashes, quotes, equals signs and blanks in quotes stand for themselves."""
    for quote in "'\"":
        lines = ["[CLUSTER]", f"DB_PASSWORD = {quote}{value}{quote}"]
        assert config.from_lines(Path("dwh.cfg"), lines)["CLUSTER", "DB_PASSWORD"].text == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[S4]", "dwh.cfg:1: there is no section [S4]. The nearest is [S3]."),
        ("\n[wharehouse]", "dwh.cfg:2: there is no section [wharehouse]. The nearest is [WAREHOUSE]."),
        ("[DEFAULT]\nHOST = x", "dwh.cfg:1: there is no section [DEFAULT]. The nearest is [CLUSTER]."),
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
        ("[DWH]\nDWH_NUM_NODES = -1", "dwh.cfg:2: [DWH] DWH_NUM_NODES must be a whole number, 0 or more."),
        (b"[S3]\n# M\xfcnchen", "dwh.cfg:2: the line is not UTF-8. Save the file as UTF-8 text."),
        ("[S3]\n".encode("utf-16"), "dwh.cfg:1: the line is not UTF-8. Save the file as UTF-8 text."),
    ],
)
def test_a_mistake_is_refused_with_file_and_line(tmp_path: Path, text: str | bytes, message: str) -> None:
    """What cannot be meant is named, with its place and the way out, instead of being ignored."""
    assert refusal(tmp_path, text) == message


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        ("SPARKIFY_S3_LOG_DAT", "SPARKIFY_S3_LOG_DAT: [S3] has no key LOG_DAT. The nearest is SPARKIFY_S3_LOG_DATA."),
        (
            "SPARKIFY_DWH_PORT",
            "SPARKIFY_DWH_PORT: [DWH] has no key PORT. The nearest is SPARKIFY_DWH_DWH_PORT.",
        ),
        ("SPARKIFY_CLUSTER_DB_PORT", "SPARKIFY_CLUSTER_DB_PORT: [CLUSTER] DB_PORT must be a whole number, 0 or more."),
    ],
)
def test_a_mistake_in_the_environment_is_refused_with_its_variable(tmp_path: Path, variable: str, message: str) -> None:
    """A variable that is meant for us and is wrong is named, not ignored."""
    assert refusal(tmp_path, "", {variable: "x"}) == message


def test_variables_of_others_are_left_alone(tmp_path: Path) -> None:
    """SPARKIFY_REAL_DATA and the like belong to no section, and say nothing about the configuration."""
    environ = {"SPARKIFY_REAL_DATA": "x", "SPARKIFY_TEST_POSTGRES": "x", "S3_LOG_DATA": "x", "AWS_SECRET": "x"}
    assert read(tmp_path, "", environ) == read(tmp_path, "")


def test_a_named_file_must_be_readable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file named by the user is never passed over; nor is a dwh.cfg that is there and cannot be read."""
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
    """Whoever prints or logs a configuration shows no password and no key, not even those in a URL."""
    for loaded in (
        read(tmp_path, f"[{section}]\n{key} = hunter2"),
        read(tmp_path, "", {f"SPARKIFY_{section}_{key}": "hunter2"}),
    ):
        assert loaded != read(tmp_path, ""), "the secret was not read at all"
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
    """However a line with a secret is broken, neither the message nor the traceback quotes it."""
    text = f"[{section}]\n{line.format(key=key)}\n".encode(errors="surrogateescape")
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))
    assert f"dwh.cfg:{2 + line.count(chr(10))}" in str(caught.value)


def test_a_wrong_number_is_not_quoted(tmp_path: Path) -> None:
    """A password that slipped into the port's place stays as unseen as in its own."""
    assert "hunter2" not in refusal(tmp_path, "[CLUSTER]\nDB_PORT = hunter2")
    assert "hunter2" not in refusal(tmp_path, "", {"SPARKIFY_CLUSTER_DB_PORT": "hunter2"})


@pytest.mark.parametrize("scheme", ["s3://", "S3://"])
def test_s3_is_s3_in_letters_of_either_size(tmp_path: Path, scheme: str) -> None:
    """A place in S3 is taken for one wherever it is named, and the same place whatever the size of its first letter."""
    file = tmp_path / "dwh.cfg"
    keys = ("LOG_DATA", "SONG_DATA", "LOG_JSONPATH", "STAGE")
    file.write_text("[S3]\n" + "".join(f"{key} = {scheme}Bucket/Folder\n" for key in keys))
    loaded = config.load(file, environ={}, log_data=f"{scheme}Bucket/Folder")
    assert {loaded.log_data, loaded.song_data, loaded.log_jsonpath, loaded.stage} == {"s3://Bucket/Folder"}
    assert config.load(file, environ={}, log_data="S3/Folder").log_data == "S3/Folder"
