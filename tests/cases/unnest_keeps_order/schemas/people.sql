CREATE TABLE people (id uuid PRIMARY KEY, slug text NOT NULL UNIQUE);
CREATE TABLE goals (
  id uuid PRIMARY KEY,
  person_id uuid NOT NULL REFERENCES people (id),
  goal text NOT NULL,
  number integer NOT NULL,
  UNIQUE (person_id, number)
);
