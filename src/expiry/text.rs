//! Making untrusted text inert; cutting to bytes, characters, UTF-16 units.
