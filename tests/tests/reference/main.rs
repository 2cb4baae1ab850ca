//! What a tenant keeps for all its devices: units, specialities, professionals, and its own kinds of entries.

mod kinds;
mod rows;
