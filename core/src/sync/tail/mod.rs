//! The tail: what a restored server may have lost is kept here, and given back to it.
//!
//! Every item of the log is kept as it came, with the server's signature over the place it was read up to, until a
//! verified copy of the server holds it and it is a week old. A server that was restored answers with another epoch:
//! own writes that no signature covers yet are queued again under their ids, what is signed is given back run by run,
//! and where the server's log then differs it is read again from the last place both know.

mod give_back;
mod keep;
mod left_over;
mod points;
mod rewind;
mod trim;

pub use give_back::{GivingBack, begin, next_request, offer_again, refused, take_answer};
pub use keep::{Keeper, Proof};
pub(crate) use keep::{kept_item, own_item};
pub use rewind::read_again;
pub use trim::{TailState, state, trim};
