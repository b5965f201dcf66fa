CREATE TABLE towns (town integer PRIMARY KEY);
CREATE TABLE people (id integer PRIMARY KEY, country text, town integer);
CREATE TABLE mail (id integer PRIMARY KEY, person integer);
