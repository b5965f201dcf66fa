CREATE TABLE region_totals (region text PRIMARY KEY, orders bigint NOT NULL, net numeric(10,2) NOT NULL, ids text, place integer NOT NULL);
CREATE TABLE order_parts (id bigint, part text, amount numeric(10,2) NOT NULL, PRIMARY KEY (id, part));
CREATE TABLE large_orders (id bigint PRIMARY KEY, place integer NOT NULL);
