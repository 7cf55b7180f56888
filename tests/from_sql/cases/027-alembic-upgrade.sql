-- expect: create_table, add_column, create_index, drop_column
--- before
CREATE TABLE alembic_version (version_num varchar(32) NOT NULL PRIMARY KEY);
INSERT INTO alembic_version VALUES ('ae10');
CREATE TABLE dags (id serial PRIMARY KEY, owner varchar(2000), fileloc text, is_paused boolean);
INSERT INTO dags (owner, is_paused) VALUES ('me', true), (NULL, NULL);
--- migration
BEGIN;

-- Running upgrade ae10 -> b711

CREATE TABLE dag_owners (
    dag_id INTEGER NOT NULL, 
    owner VARCHAR(500) NOT NULL, 
    link VARCHAR(500), 
    CONSTRAINT pk_dag_owners PRIMARY KEY (dag_id, owner), 
    CONSTRAINT fk_dag FOREIGN KEY(dag_id) REFERENCES dags (id) ON DELETE CASCADE
);

ALTER TABLE dags ADD COLUMN timetable TEXT;

ALTER TABLE dags DROP COLUMN fileloc;

CREATE INDEX ix_dags_owner ON dags (owner);

UPDATE alembic_version SET version_num='b711' WHERE alembic_version.version_num = 'ae10';

COMMIT;
