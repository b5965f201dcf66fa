CREATE TABLE orders_out (
  id integer PRIMARY KEY,
  customer text NOT NULL,
  amount numeric(10,2) NOT NULL,
  status text NOT NULL CHECK (status IN ('open', 'paid')),
  currency char(3) NOT NULL
);
