//! mailmodem
fn main() {}
