//! Scripts against a real server: `PIPE_TEST_PG` holds its URL; without it these tests only say so.

mod merges;
mod server;
mod values;
