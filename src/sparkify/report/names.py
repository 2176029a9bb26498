"""Artists and listeners as people write them: found by name, or the nearest names."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from difflib import get_close_matches

from sparkify.errors import ConfigError
from sparkify.sql.selection import Selection
from sparkify.warehouse.base import Warehouse

_NEAREST = 8
_NAMESAKES = 20


class Unknown(ConfigError):
    """No artist or listener has the name, or several listeners have it."""

    def __init__(self, problem: str, field: str, choices: Sequence[tuple[str, str]], remedy: str) -> None:
        """Build the message from a problem; `choices` are values of the field of a selection, with their labels."""
        hint = f"Did you mean {' or '.join(label for _, label in choices)}?" if choices else remedy
        super().__init__(f"{problem} {hint}")
        self.problem = problem
        self.field = field
        self.choices = choices


def identified(warehouse: Warehouse, selection: Selection) -> Selection:
    """Return a selection with the user_id of its listener, who may be given by name.

    Raise Unknown for an artist or a listener whom the warehouse does not have, or a name that several listeners share.
    """
    if selection.artist is not None:
        _require_artist(warehouse, selection.artist)
    if selection.user is not None:
        return replace(selection, user=_user_id(warehouse, selection.user))
    return selection


def _require_artist(warehouse: Warehouse, artist: str) -> None:
    if warehouse.rows("select 1 from tracks where artist_name = ? limit 1", [artist]):
        return
    names = [name for (name,) in warehouse.rows("select distinct artist_name from tracks order by artist_name")]
    raise Unknown(
        f"{artist}: there is no such artist in the plays.",
        "artist",
        [(name, name) for name in _nearest(artist, names)],
        "Use an artist_name of the table tracks.",
    )


def _user_id(warehouse: Warehouse, user: str) -> str:
    if warehouse.rows("select 1 from users where user_id = ?", [user]):
        return user
    by_name: dict[str, list[str]] = {}
    for user_id, *names in warehouse.rows(
        "select user_id, first_name, last_name from users order by last_seen_at desc, user_id"
    ):
        by_name.setdefault(" ".join(name for name in names if name), []).append(user_id)
    by_name.pop("", None)
    entered = " ".join(user.split()).casefold()
    same = [name for name in by_name if name.casefold() == entered]
    found = [user_id for name in same for user_id in by_name[name]]
    if len(found) == 1:
        return found[0]
    shown = [(user_id, name) for name in same or _nearest(user, by_name) for user_id in by_name[name]][:_NAMESAKES]
    problem = f"{len(found)} listeners have this name." if found else "there is no such user."
    choices = [(user_id, f"{name} (user {user_id})") for user_id, name in shown]
    raise Unknown(f"{user}: {problem}", "user", choices, "Use a user_id of the table users, or a first and last name.")


def _nearest(entered: str, names: Iterable[str]) -> list[str]:
    """Return the names most like an entered text: those that differ in a few letters, then those that contain it."""
    folded: dict[str, list[str]] = {}
    for name in names:
        folded.setdefault(name.casefold(), []).append(name)
    text = entered.casefold().strip()
    near = get_close_matches(text, folded, _NEAREST, 0.7)
    containing = sorted((name for name in folded if text in name), key=lambda name: (len(name), name))
    return [name for fold in dict.fromkeys([*near, *containing[:_NEAREST]]) for name in folded[fold]][:_NEAREST]
