//! How accesses and calls look in the intermediate representation.
