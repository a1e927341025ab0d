//! The parts of the mailmodem program that touch the machine.

pub mod directory;
pub mod limits;
