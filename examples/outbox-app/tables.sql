-- The application's own table. `changes` counts what happened to an order: as many events must be told of it.
CREATE TABLE orders (
    id      text PRIMARY KEY,
    state   text NOT NULL,
    changes int  NOT NULL
);
