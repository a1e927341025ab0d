//! Dialogues: transcripts of a terminal and a modem, which are the definition of what the modem does
//! (`dialogues/README.md` tells how they are written), and the world in memory that they are played in.
//!
//! Deliberately not here: sockets, directories, real time. Whoever plays a dialogue brings its text.

pub mod limits;
pub mod play;
pub mod script;
pub mod world;
