CREATE TABLE people (slug text PRIMARY KEY, age integer CHECK (age BETWEEN 0 AND 150));
CREATE TABLE goals (
  slug text NOT NULL REFERENCES people (slug),
  number integer NOT NULL,
  goal text NOT NULL,
  PRIMARY KEY (slug, number)
);
