-- expect: add_enum_value
--- before
CREATE TYPE order_state_enum AS ENUM ('new', 'done');
CREATE TABLE orders (id int PRIMARY KEY, state order_state_enum NOT NULL);
INSERT INTO orders VALUES (1, 'new'), (2, 'done');
--- migration
ALTER TYPE "public"."order_state_enum" RENAME TO "order_state_enum_old";
CREATE TYPE "public"."order_state_enum" AS ENUM('new', 'paid', 'done', 'void');
ALTER TABLE "orders" ALTER COLUMN "state" TYPE "public"."order_state_enum" USING "state"::"text"::"public"."order_state_enum";
DROP TYPE "public"."order_state_enum_old";
