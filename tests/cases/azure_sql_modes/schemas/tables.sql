CREATE TABLE log (id int NOT NULL, name nvarchar(40));
CREATE TABLE person (id int PRIMARY KEY, name nvarchar(40), born date, share decimal(5,2), boss int REFERENCES person (id), version int NOT NULL DEFAULT 0);
CREATE TABLE badge (code nvarchar(40) NOT NULL, person_id int NOT NULL, PRIMARY KEY (person_id, code));
CREATE TABLE setting (tenant nvarchar(20) NOT NULL, id int NOT NULL, name nvarchar(40), PRIMARY KEY (tenant, id));
