"""The tables that are measured: what they look like and how they are filled. All have id, tenant, phone and note."""

from __future__ import annotations

from dataclasses import dataclass

NEW_COLUMN = "phone_number"
UP = "'+1' || right(regexp_replace(phone, '[^0-9]', '', 'g'), 10)"

COLUMNS = "tenant int NOT NULL, phone text NOT NULL, note text"
VALUES = "g, g % 40, '(555) ' || g, 'note'"
TENANT = "CREATE INDEX t_tenant ON t (tenant);"
# 1,920 characters that no compression shortens away: md5, 60 times, kept as it is.
PAYLOAD = "repeat(md5(g::text), 60)"
# What is stored out of line: two chunks or so for each row, written once; an UPDATE of other columns leaves it.
TOASTED = "repeat(md5(g::text), 120)"
MORE = "a int NOT NULL, b int NOT NULL, c int NOT NULL, made timestamptz NOT NULL"
MORE_VALUES = "g, g % 1000, g % 7, timestamptz '2026-01-01' + g * interval '1 second'"


@dataclass(frozen=True)
class Table:
    """One shape. `script` makes the table t and fills it with {rows} rows, as the role that owns it."""

    name: str
    what: str
    script: str
    # Rows of this table for each row that is asked for: wide rows are many bytes.
    share: float = 1.0

    def rows(self, asked: int) -> int:
        return max(1, int(asked * self.share))


def _fill(values: str) -> str:
    return f"INSERT INTO t SELECT {values} FROM generate_series(1, {{rows}}) AS g;"


TABLES = {table.name: table for table in (
    Table("narrow", "60-byte rows; primary key and one more index",
          f"CREATE TABLE t (id bigint PRIMARY KEY, {COLUMNS}); {_fill(VALUES)} {TENANT}"),
    Table("wide", "2 KB rows, all in line; primary key and one more index",
          f"CREATE TABLE t (id bigint PRIMARY KEY, {COLUMNS}, payload text);"
          "ALTER TABLE t ALTER COLUMN payload SET STORAGE PLAIN;"
          f"{_fill(f'{VALUES}, {PAYLOAD}')} {TENANT}", share=0.2),
    Table("toasted", "rows with 4 KB out of line; primary key and one more index",
          f"CREATE TABLE t (id bigint PRIMARY KEY, {COLUMNS}, payload text);"
          "ALTER TABLE t ALTER COLUMN payload SET STORAGE EXTERNAL;"
          f"{_fill(f'{VALUES}, {TOASTED}')} {TENANT}", share=0.2),
    Table("indexed", "90-byte rows; primary key and eight more indexes",
          f"CREATE TABLE t (id bigint PRIMARY KEY, {COLUMNS}, {MORE}); {_fill(f'{VALUES}, {MORE_VALUES}')} {TENANT}"
          "CREATE INDEX t_note ON t (note); CREATE INDEX t_a ON t (a); CREATE INDEX t_b ON t (b);"
          "CREATE INDEX t_c ON t (c); CREATE INDEX t_made ON t (made); CREATE INDEX t_ab ON t (a, b);"
          "CREATE INDEX t_tenant_made ON t (tenant, made);"),
    Table("nokey", "60-byte rows; no primary key and nothing unique, an index on id and one more",
          f"CREATE TABLE t (id bigint, {COLUMNS}); {_fill(VALUES)} CREATE INDEX t_id ON t (id); {TENANT}"),
    Table("partitioned", "60-byte rows in eight hash partitions; primary key and one more index",
          f"CREATE TABLE t (id bigint PRIMARY KEY, {COLUMNS}) PARTITION BY HASH (id);"
          + "".join(f"CREATE TABLE t_{i} PARTITION OF t FOR VALUES WITH (MODULUS 8, REMAINDER {i});" for i in range(8))
          + f"{_fill(VALUES)} {TENANT}"),
)}
