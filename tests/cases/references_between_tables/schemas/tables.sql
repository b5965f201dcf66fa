CREATE TABLE person (id integer PRIMARY KEY, manager integer REFERENCES person (id));
CREATE TABLE badge (person integer NOT NULL REFERENCES person (id), badge text NOT NULL);
