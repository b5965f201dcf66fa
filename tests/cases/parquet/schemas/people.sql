CREATE TABLE people_out (id integer PRIMARY KEY, name text, amount numeric(5,2), born date);
