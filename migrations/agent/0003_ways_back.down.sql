-- The files of backups stay where they are.
DROP TABLE curlew.measurement;
DROP TABLE curlew.backup;
