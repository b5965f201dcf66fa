CREATE TABLE numbers (a integer PRIMARY KEY, b text, n numeric, other integer);
