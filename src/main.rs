//! The `patchbay` program: starts the command line, nothing else.

/// Gives memory back after the start and after a rush, and costs less than the C library's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    patchbay::server::cli::main()
}
