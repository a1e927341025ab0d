//! A drive in memory, for tests and for modems that keep nothing.
