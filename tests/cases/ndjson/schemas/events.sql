CREATE TABLE events_out (id bigint PRIMARY KEY, level text, deep boolean, tags text[]);
