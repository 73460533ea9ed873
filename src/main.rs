//! The `patchbay` program: starts the command line, nothing else.

fn main() -> std::process::ExitCode {
    patchbay::server::cli::main()
}
