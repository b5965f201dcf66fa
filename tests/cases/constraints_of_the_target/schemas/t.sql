CREATE TYPE state AS ENUM ('open', 'closed');
CREATE TABLE t (
  id integer PRIMARY KEY,
  code varchar(5) NOT NULL UNIQUE,
  amount numeric(5,2) CHECK (amount > 0),
  state state NOT NULL,
  starts date NOT NULL,
  ends date,
  CONSTRAINT in_order CHECK (starts <= ends)
);
