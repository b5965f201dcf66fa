CREATE TABLE people (
    id uuid PRIMARY KEY,
    name varchar(100) NOT NULL,
    email varchar(200) NOT NULL UNIQUE,
    joined_on date NOT NULL,
    team text NOT NULL CHECK (team IN ('engineering', 'operations'))
);
