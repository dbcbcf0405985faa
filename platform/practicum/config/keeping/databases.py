"""The database: read at one moment while others write, and made again somewhere else before it is put in its place.

PostgreSQL: every table with COPY in one ``REPEATABLE READ`` transaction. No client program is needed, so the server may be
of any version; and a newer Practicum takes an older one's backup, since the tables are made by the migrations that the
backup names, filled, and then migrated on. SQLite: its own backup interface, which takes one moment of the file under
writers, and leaves the log of writes behind.

A *scratch* database is a schema, or a file, beside the real one, on which this process works as if it were the site's.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from django.apps import apps
from django.core.management import call_command
from django.core.management.color import no_style
from django.db import connection, connections, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder
from psycopg import sql

from practicum.config.keeping.manifest import Table
from practicum.config.keeping.refusals import Damaged, NotNow
from practicum.lib.digest import CHUNK_BYTES

# Counters of failed sign-ins; `practicum setup` makes it anew.
NOT_KEPT = {"practicum_cache"}
SQLITE_FILE = "site.sqlite3"
SCRATCH = "practicum_restoring"
SET_ASIDE = "practicum_before"


def is_postgresql() -> bool:
    """The site's database is PostgreSQL."""
    return connection.vendor == "postgresql"


def migrations() -> tuple[tuple[str, str], ...]:
    """What was applied to it."""
    return tuple(sorted(MigrationRecorder(connection).applied_migrations()))


def server_version() -> str:
    """Of the database's program."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version" if is_postgresql() else "SELECT sqlite_version()")
        return str(cursor.fetchone()[0])


def dump(folder: Path) -> dict[str, Table]:
    """Write the whole database, as it is at one moment, into ``folder``; its tables."""
    folder.mkdir(parents=True, exist_ok=True)
    return _dump_postgresql(folder) if is_postgresql() else _dump_sqlite(folder)


def _dump_postgresql(folder: Path) -> dict[str, Table]:
    found = {}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        for name in _table_names():
            columns = _columns(name)
            with (folder / f"{name}.copy").open("wb") as file:
                digest, rows = hashlib.sha256(), 0
                for chunk in _copied(name, columns):
                    rows += chunk.count(b"\n")
                    digest.update(chunk)
                    file.write(chunk)
            found[name] = Table(rows, columns, digest.hexdigest())
    return found


def _copied(name: str, columns: tuple[str, ...]) -> Iterator[bytes]:
    """A table as COPY writes it: a line a row."""
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    statement = sql.SQL("COPY {} ({}) TO STDOUT").format(sql.Identifier(name), names)
    with connection.cursor() as cursor, cursor.cursor.copy(statement) as copy:
        for chunk in copy:
            yield bytes(chunk)


def _table_names() -> list[str]:
    with connection.cursor() as cursor:
        return sorted(set(connection.introspection.table_names(cursor)) - NOT_KEPT)


def _columns(name: str) -> tuple[str, ...]:
    with connection.cursor() as cursor:
        described = connection.introspection.get_table_description(cursor, name)
    return tuple(column.name for column in described)


def _dump_sqlite(folder: Path) -> dict[str, Table]:
    file = folder / SQLITE_FILE
    copy_sqlite(Path(connection.settings_dict["NAME"]), file)
    return tables_of(file)


def copy_sqlite(source: Path, target: Path) -> None:
    """One moment of a database that others write to, as one whole file.

    Raises:
        Damaged: the copy is not whole, so neither is what it was made of.
    """
    target.unlink(missing_ok=True)
    with closing(_to_read(source)) as read, closing(sqlite3.connect(target)) as written:
        read.backup(written, pages=-1)  # in one step: writers neither wait nor make it begin anew
        written.execute("PRAGMA journal_mode=DELETE")
    check_whole(target)


def _to_read(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True, timeout=60)


def check_whole(file: Path) -> None:
    """SQLite finds nothing wrong with it.

    Raises:
        Damaged: it does.
    """
    try:
        with closing(_to_read(file)) as opened:
            (said,) = opened.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.DatabaseError as fault:
        raise Damaged(f"{file.name} is no whole database: {fault}") from fault
    if said != "ok":
        raise Damaged(f"{file.name} is no whole database: {said}")


def tables_of(file: Path) -> dict[str, Table]:
    """The tables of an SQLite file, with their rows."""
    with closing(_to_read(file)) as opened:
        master = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        names = {name for (name,) in opened.execute(master)} - NOT_KEPT
        return {
            name: Table(
                opened.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0],  # noqa: S608
                tuple(row[1] for row in opened.execute(f'PRAGMA table_info("{name}")')),
            )
            for name in sorted(names)
        }


# --- The way back ---


def is_occupied() -> bool:
    """There are people in the site's database."""
    user = apps.get_model("accounts.User")
    with connection.cursor() as cursor:
        names = connection.introspection.table_names(cursor)
    return user._meta.db_table in names and bool(user._default_manager.exists())


def unknown(wanted: tuple[tuple[str, str], ...]) -> list[str]:
    """Migrations that this Practicum does not have: the backup was made by a newer one."""
    known = MigrationExecutor(connection).loader.graph.nodes
    return [f"{app}.{name}" for app, name in wanted if (app, name) not in known]


@contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """This process works on an empty database beside the site's; it is gone afterwards, unless it was put in place.

    Gives the site's own file, with SQLite.
    """
    if is_postgresql():
        with _schema():
            yield folder
    else:
        with _file(folder / SQLITE_FILE) as site:
            yield site


@contextmanager
def _schema() -> Iterator[None]:
    _drop_schema(SCRATCH)
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA {SCRATCH}")
    options = connections.settings["default"].setdefault("OPTIONS", {})
    before = options.get("options")
    connection.close()
    options["options"] = f"-c search_path={SCRATCH}"
    try:
        yield
    finally:
        connection.close()
        options.pop("options")
        if before is not None:
            options["options"] = before
        _drop_schema(SCRATCH)


def _drop_schema(name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE")


@contextmanager
def _file(file: Path) -> Iterator[Path]:
    before = connection.settings_dict["NAME"]
    connection.close()
    connection.settings_dict["NAME"] = str(file)
    try:
        yield Path(before)
    finally:
        connection.close()
        connection.settings_dict["NAME"] = before


def load(folder: Path, *, tables: dict[str, Table], applied: tuple[tuple[str, str], ...]) -> None:
    """Fill the scratch database from what was dumped into ``folder``, and read it back.

    Raises:
        Damaged: it is not, row by row, what was dumped.
    """
    if is_postgresql():
        _make_tables(applied)
        _fill(folder, tables=tables)
    else:
        connection.close()
        source, target = folder / SQLITE_FILE, Path(connection.settings_dict["NAME"])
        check_whole(source)
        source.replace(target)
        if (found := tables_of(target)) != tables:
            raise Damaged(_unlike(tables, found))


def _make_tables(applied: tuple[tuple[str, str], ...]) -> None:
    """The tables as they were when the backup was made."""
    executor = MigrationExecutor(connection)
    graph, kept = executor.loader.graph, set(applied)
    last = [
        node for node in applied
        if not any(child.key in kept and child.key[0] == node[0] for child in graph.node_map[node].children)
    ]  # fmt: skip
    executor.migrate(last)


def _fill(folder: Path, *, tables: dict[str, Table]) -> None:
    missing = sorted(tables.keys() - set(_table_names()))
    if missing:
        raise NotNow(f"The backup has tables that are not known here: {', '.join(missing)}.")
    with transaction.atomic(), connection.cursor() as cursor:
        names = sql.SQL(", ").join(map(sql.Identifier, _table_names()))
        cursor.execute(sql.SQL("TRUNCATE {} CASCADE").format(names))
        for name, table in tables.items():
            columns = sql.SQL(", ").join(map(sql.Identifier, table.columns))
            statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(name), columns)
            with (folder / f"{name}.copy").open("rb") as file, cursor.cursor.copy(statement) as copy:
                while chunk := file.read(CHUNK_BYTES):
                    copy.write(chunk)
        cursor.execute("SET LOCAL synchronize_seqscans = off")  # in the order in which the rows were put in
        found = {name: _read_back(name, table.columns) for name, table in tables.items()}
        if found != tables:
            raise Damaged(_unlike(tables, found))
        # Applied numbers go on after the last that was given.
        for statement in connection.ops.sequence_reset_sql(no_style(), _models()):
            cursor.execute(statement)


def _models() -> list[Any]:
    there = set(_table_names())
    models = apps.get_models(include_auto_created=True)
    return [model for model in models if model._meta.db_table in there] + [MigrationRecorder(connection).Migration]


def _read_back(name: str, columns: tuple[str, ...]) -> Table:
    digest, rows = hashlib.sha256(), 0
    for chunk in _copied(name, columns):
        rows += chunk.count(b"\n")
        digest.update(chunk)
    return Table(rows, columns, digest.hexdigest())


def _unlike(expected: dict[str, Table], found: dict[str, Table]) -> str:
    names = [name for name in sorted(expected) if expected[name] != found.get(name)]
    return f"The database that was made of the backup is not what was kept: {', '.join(names[:5])}."


def migrate_on() -> None:
    """Its tables are those of this Practicum."""
    call_command("migrate", verbosity=0)
    call_command("createcachetable", verbosity=0)


def put_in_place(folder: Path, *, site: Path, suffix: str, keeps: bool) -> str:
    """Called in :func:`scratch`, with what that gave: the scratch database is the site's from now on.

    Where the one before is, if it ``keeps`` it; else it is gone, and this gives "".

    PostgreSQL: two schemas change their names in one transaction. SQLite: one rename; the old file is beside it.
    """
    if is_postgresql():
        kept = f"{SET_ASIDE}_{suffix}"
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"ALTER SCHEMA public RENAME TO {kept}")
            cursor.execute(f"ALTER SCHEMA {SCRATCH} RENAME TO public")
            cursor.execute("GRANT USAGE ON SCHEMA public TO PUBLIC")
            if not keeps:
                cursor.execute(f"DROP SCHEMA {kept} CASCADE")
        return f"schema {kept}" if keeps else ""
    connection.close()
    made, place = folder / SQLITE_FILE, site
    with closing(sqlite3.connect(made)) as opened:
        opened.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        opened.execute("PRAGMA journal_mode=DELETE")
    aside = ""
    if place.exists():
        with closing(sqlite3.connect(place)) as opened:
            opened.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if keeps:
            aside = str(place.with_name(f"{place.name}.before-{suffix}"))
            place.rename(aside)
    for end in ("-wal", "-shm"):
        place.with_name(place.name + end).unlink(missing_ok=True)
    made.replace(place)
    return aside
