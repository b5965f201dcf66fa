//! `pipe`: see the library for everything.

fn main() -> std::process::ExitCode {
    pipe::cli::main()
}
