//! What the trail promises about what it holds: merging, drafts, corrections, records, statistics, clocks, audit,
//! scope, and what people type wrong. Tests name the invariants they show.

mod audited;
mod bad_input;
mod clocks;
mod corrections;
mod drafts;
mod filters;
mod linked;
mod merging;
mod permutations;
mod records;
mod scope;
mod scribbling;
mod search;
mod snapshots;
mod statistics;
mod unit_statistics;
mod watched;
