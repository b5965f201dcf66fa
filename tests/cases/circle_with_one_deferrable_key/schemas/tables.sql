CREATE TABLE team (id integer PRIMARY KEY, lead_id integer NOT NULL);
CREATE TABLE person (id integer PRIMARY KEY, team_id integer NOT NULL REFERENCES team (id));
ALTER TABLE team ADD FOREIGN KEY (lead_id) REFERENCES person (id) DEFERRABLE;
