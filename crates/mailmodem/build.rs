//! How the program is linked.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Relocations are read when a program starts, and stay in memory: packed, they are half a megabyte less.
    if std::env::var("CARGO_CFG_TARGET_ENV").is_ok_and(|env| env == "gnu") {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}
