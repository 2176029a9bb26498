"""Where the real data is: public teaching data that is not part of this repository."""

import gzip
import os
from collections.abc import Iterator
from pathlib import Path

from tests.support.sandbox import Sandbox

REPOSITORY = Path(__file__).resolve().parents[2]


def real_data() -> Path | None:
    """Return the folder of SPARKIFY_REAL_DATA or ../shared/data; or None if it is missing or not wanted."""
    if os.environ.get("SPARKIFY_NO_REAL_DATA") == "1":
        return None
    named = os.environ.get("SPARKIFY_REAL_DATA")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    if folder.joinpath("log_data").is_dir():
        return folder
    if named:
        raise FileNotFoundError(f"SPARKIFY_REAL_DATA: {folder} has no folder log_data. Correct it, or unset it.")
    return None


def catalogue_records(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the file name (TR….json) and the content of each of the 14,896 songs in `song_catalogue.tsv.gz`.

    In the public bucket a file lies in the folders of its name's third, fourth and fifth letter: A/B/C/TRABC….json.
    """
    packed = path / "song_catalogue.tsv.gz" if path.is_dir() else path
    with gzip.open(packed, "rb") as rows:
        for row in rows:
            name, content = row.rstrip(b"\n").split(b"\t", 1)
            yield name.decode(), content


def load_sample(warehouse: Sandbox) -> None:
    """Load the public sample with its whole catalogue; its songs are in one file, which is faster to read."""
    folder = real_data()
    assert folder
    songs = [content.strip() for _, content in catalogue_records(folder)]
    (warehouse.song_data / "catalogue.json").write_bytes(b"\n".join(songs))
    warehouse.etl(folder / "log_data")
