-- expect: create_sequence, alter_sequence, set_default
-- sql: none
--- before
CREATE SEQUENCE invoice_no;
CREATE TABLE inv (id int PRIMARY KEY, no bigint);
INSERT INTO inv VALUES (1, 7);
--- migration
CREATE SEQUENCE receipt_no AS integer START WITH 1000 INCREMENT BY 10 MINVALUE 10 MAXVALUE 90000 CACHE 5 CYCLE;
ALTER SEQUENCE invoice_no INCREMENT BY 2 CACHE 20;
ALTER TABLE inv ALTER COLUMN no SET DEFAULT nextval('invoice_no');
CREATE SEQUENCE inv_extra_seq OWNED BY inv.no;
