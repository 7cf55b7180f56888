-- Fails, and changes nothing, while a dual-write function still lives in the schema.
DROP TABLE curlew.problem;
DROP TABLE curlew.backfill;
DROP TABLE curlew.step;
DROP TABLE curlew.run;
DROP TABLE curlew.target;
DROP TABLE curlew.migration;
DROP SCHEMA curlew;
