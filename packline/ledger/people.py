"""Who may come to the review desk: users, their sessions, and the log of what was done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from packline.errors import FixSettings
from packline.ledger import schema as t
from packline.ledger.database import insert_once
from packline.ledger.part import Part
from packline.ledger.reading import _utc

ROLES = ("viewer", "reviewer", "admin")
"""What a user may do, each all that the one before may."""


@dataclass(frozen=True)
class User:
    """Somebody who may come to the review desk.

    Parameters
    ----------
    role
        "viewer" looks, "reviewer" decides, "admin" sees the audit log besides.
    password
        An argon2 hash; empty where only a proxy can vouch for the name.
    """

    name: str
    role: str
    password: str = ""
    disabled: bool = False


@dataclass(frozen=True)
class Session:
    """A signed-in browser.

    Parameters
    ----------
    id
        SHA-256 of the cookie's token.
    csrf
        What every form of this session carries.
    """

    id: str
    name: str
    csrf: str
    begun: datetime
    seen: datetime


@dataclass(frozen=True)
class Entry:
    """A line of the audit log."""

    id: int
    recorded: datetime
    event: str
    name: str
    address: str
    subject: str


class People(Part):
    """Users, sessions and audit log of a ledger; every call is one short transaction."""

    # users

    def users(self) -> list[User]:
        """Everybody, by name."""
        with self._reader.connect() as connection:
            return [_user(row) for row in connection.execute(select(t.users).order_by(t.users.c.name))]

    def user(self, name: str) -> User | None:
        """A user, or None."""
        with self._reader.connect() as connection:
            row = connection.execute(select(t.users).where(t.users.c.name == name)).one_or_none()
            return None if row is None else _user(row)

    def any_users(self) -> bool:
        """Whether anybody may sign in at all."""
        with self._reader.connect() as connection:
            query = select(t.users.c.name).where(t.users.c.disabled.is_(False)).limit(1)
            return connection.scalar(query) is not None

    def add_user(self, user: User) -> None:
        """Let somebody in.

        Raises
        ------
        FixSettings
            Where the name is taken, or the role is none.
        """
        _check_role(user.role)
        row = {"name": user.name, "role": user.role, "password": user.password, "disabled": user.disabled}
        with self._write() as connection:
            if connection.scalar(select(t.users.c.name).where(t.users.c.name == user.name)) is not None:
                raise FixSettings(f"There is a user {user.name} already; choose another name, or change it.")
            connection.execute(insert(t.users), [row])

    def add_first_user(self, user: User) -> bool:
        """Let the very first user in; False where somebody was quicker."""
        row = {"name": user.name, "role": user.role, "password": user.password, "disabled": False}
        with self._write() as connection:
            if connection.scalar(select(func.count()).select_from(t.users)):
                return False
            connection.execute(insert(t.users), [row])
            return True

    def change_user(self, name: str, **columns: Any) -> None:
        """Set a user's role, password or disabled, and end all sessions of that user.

        Raises
        ------
        FixSettings
            Where there is no such user, or the role is none.
        """
        if "role" in columns:
            _check_role(columns["role"])
        with self._write() as connection:
            changed = connection.execute(update(t.users).where(t.users.c.name == name).values(**columns))
            if not changed.rowcount:
                raise FixSettings(f"There is no user {name}; packline users list names them.")
            connection.execute(delete(t.sessions).where(t.sessions.c.name == name))

    # sessions

    def begin_session(self, session: Session, instead_of: str = "") -> None:
        """Note a session; the one that the browser had before ends."""
        row = {name: getattr(session, name) for name in ("id", "name", "csrf", "begun", "seen")}
        with self._write() as connection:
            connection.execute(delete(t.sessions).where(t.sessions.c.id == instead_of))
            insert_once(connection, t.sessions, [row])

    def session(self, identity: str) -> tuple[Session, User | None] | None:
        """A session with its user, whether or not it has run out; None where there is none."""
        query = select(t.sessions, t.users.c.role, t.users.c.password, t.users.c.disabled).outerjoin(
            t.users, t.users.c.name == t.sessions.c.name
        )
        with self._reader.connect() as connection:
            row = connection.execute(query.where(t.sessions.c.id == identity)).one_or_none()
        if row is None:
            return None
        session = Session(row.id, row.name, row.csrf, _utc(row.begun), _utc(row.seen))
        return session, None if row.role is None else _user(row)

    def touch_session(self, identity: str, seen: datetime) -> None:
        """Note that a session is in use."""
        with self._write() as connection:
            connection.execute(update(t.sessions).where(t.sessions.c.id == identity).values(seen=seen))

    def end_session(self, identity: str) -> None:
        """Sign out."""
        with self._write() as connection:
            connection.execute(delete(t.sessions).where(t.sessions.c.id == identity))

    def end_old_sessions(self, begun_before: datetime, seen_before: datetime) -> None:
        """Drop sessions that have run out."""
        c = t.sessions.c
        with self._write() as connection:
            connection.execute(delete(t.sessions).where((c.begun < begun_before) | (c.seen < seen_before)))

    # the audit log

    def log(self, event: str, name: str, address: str, subject: str = "") -> None:
        """Append to the audit log."""
        row = {"event": event, "name": name[:200], "address": address[:100], "subject": subject[:2000]}
        with self._write() as connection:
            connection.execute(insert(t.audit), [row])

    def failures(self, name: str, address: str, within: timedelta) -> tuple[int, int]:
        """How often signing in failed lately: for a name since it last went well, and from an address."""
        c, since = t.audit.c, t.now() - within
        failed = (c.event == "sign-in refused", c.recorded > since)
        with self._reader.connect() as connection:
            well = connection.scalar(
                select(func.max(c.id)).where(c.event == "signed in", c.name == name, c.recorded > since)
            )
            for_name = select(func.count()).where(*failed, c.name == name, c.id > (well or 0))
            from_address = select(func.count()).where(*failed, c.address == address)
            return connection.scalar(for_name) or 0, connection.scalar(from_address) or 0

    def entries(self, before: int | None = None, most: int = 100, name: str = "") -> list[Entry]:
        """The audit log, newest first.

        Parameters
        ----------
        before
            Only older entries than this one's id.
        """
        c = t.audit.c
        query = select(t.audit).order_by(c.id.desc()).limit(most)
        if before is not None:
            query = query.where(c.id < before)
        if name:
            query = query.where(c.name == name)
        with self._reader.connect() as connection:
            return [
                Entry(row.id, _utc(row.recorded), row.event, row.name, row.address, row.subject)
                for row in connection.execute(query)
            ]


def _user(row: Any) -> User:
    return User(row.name, row.role, row.password, row.disabled)


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise FixSettings(f"There is no role {role!r}; choose one of {', '.join(ROLES)}.")
