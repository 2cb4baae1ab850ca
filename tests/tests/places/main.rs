//! Patients in more than one unit: shares, claims, moves, and what happens to what was written when a scope ends.

mod clinic;
mod deciding;
mod departing;
mod finding;
mod former;
mod released;
mod returning;
mod scribbling;
mod segments;
mod sharing;
mod snapshots;
mod unapplied;
