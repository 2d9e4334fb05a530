//! Which certificate replaced which.
