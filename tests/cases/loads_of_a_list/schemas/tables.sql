CREATE TABLE wide (id integer PRIMARY KEY, name text);
CREATE TABLE narrow (id integer PRIMARY KEY, name varchar(5) NOT NULL);
