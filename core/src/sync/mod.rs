//! Synchronising: when to ask, what to ask, what an answer means. No HTTP client and no clock: requests are effects,
//! answers and times are events.

mod answer;
mod backoff;
mod classify;
pub mod digest;
mod request;
mod resync;
mod schedule;
pub(crate) mod segments;
pub mod tail;

pub use answer::{
    PendingAnswer, SliceResult, apply_outcomes, apply_slice, check_answer, documents_needed, is_copy,
    server_makes_copies,
};
pub use backoff::{retry_after_ms, retry_delay_ms};
pub(crate) use classify::problem;
pub use classify::{Reply, TransportError, Verdict, classify};
pub use request::{Asked, Wish, build_request, recall};
pub use resync::{begin_resync, want_resync};
pub use schedule::{Breaker, Schedule, SyncFailure};
pub(crate) use tail::own_item;
