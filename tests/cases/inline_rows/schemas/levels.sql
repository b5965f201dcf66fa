CREATE TABLE levels_out (code integer PRIMARY KEY, name text, greeting text NOT NULL);
