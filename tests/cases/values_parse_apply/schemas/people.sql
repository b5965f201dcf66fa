CREATE TABLE people_out (
  name text PRIMARY KEY,
  level integer,
  kind text,
  years integer,
  member boolean,
  joined date,
  rate numeric(5,4),
  origin text,
  fixed integer
);
