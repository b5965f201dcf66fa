CREATE TABLE settings (tenant text NOT NULL, id integer NOT NULL, name text, PRIMARY KEY (tenant, id));
