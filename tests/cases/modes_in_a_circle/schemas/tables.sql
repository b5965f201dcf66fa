CREATE TABLE team (id integer PRIMARY KEY, lead_id integer);
CREATE TABLE person (id integer PRIMARY KEY, team_id integer, name text, version integer NOT NULL DEFAULT 0);
ALTER TABLE team ADD FOREIGN KEY (lead_id) REFERENCES person (id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE person ADD FOREIGN KEY (team_id) REFERENCES team (id) DEFERRABLE INITIALLY DEFERRED;
CREATE TABLE badge (person_id integer NOT NULL, code text NOT NULL, PRIMARY KEY (person_id, code));
