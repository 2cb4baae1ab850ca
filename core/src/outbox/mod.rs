//! The outbox: a write is saved, sent until the server said what became of it, and then it is accepted or in the
//! drawer. `pending → in flight → accepted | refused | parked`; in flight at start is pending again, with its id.

mod drawer;
mod outcome;
mod queue_again;
mod rekey;
mod submit;
mod update;

pub use drawer::{DrawerItem, discard, list as list_drawer, resend};
pub use outcome::{ENCODING_REPLACED, apply_outcome, lay_on_top, refuse, take_held_out, take_over};
pub use queue_again::queue_unproven;
pub use rekey::{fork, fork_because, take_another_key};
pub(crate) use submit::open_part;
pub use submit::{NewWrite, Saved, submit};
pub use update::{release_updated, unpark};
