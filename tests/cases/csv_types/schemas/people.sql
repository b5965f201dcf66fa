CREATE TABLE people_out (
  id integer PRIMARY KEY,
  code text NOT NULL,
  amount numeric(30,3),
  active boolean,
  born date,
  seen timestamp,
  note text
);
