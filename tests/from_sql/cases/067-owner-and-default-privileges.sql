-- expect: create_table, grant
--- before
CREATE TABLE old (id int PRIMARY KEY);
--- migration
CREATE TABLE reports (id int PRIMARY KEY, body xml);
GRANT ALL PRIVILEGES ON reports TO app_writer;
GRANT SELECT ON reports, old TO PUBLIC;
ALTER TABLE old OWNER TO app_owner;
