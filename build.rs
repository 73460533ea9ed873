//! Manifests, migrations and the site are built into the binary: a new file among them means a new
//! build, which cargo does not notice by itself.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=manifests");
    println!("cargo::rerun-if-changed=migrations");
    // Only a release embeds the site; a debug build reads it from the disk. A path that does not
    // exist would make every build a new one.
    let release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    if release && std::path::Path::new("target/site").exists() {
        println!("cargo::rerun-if-changed=target/site");
    }
}
