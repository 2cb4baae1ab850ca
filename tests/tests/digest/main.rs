//! Comparing with the server: what differs is found, fetched and told; what is not sent yet makes no difference.

mod alone;
mod meanwhile;
mod million;
mod planted;
