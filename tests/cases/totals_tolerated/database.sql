CREATE TABLE paid (id integer PRIMARY KEY, amount numeric, huge numeric, least numeric);
