//! Comparing with the server: what differs is found, fetched and told; what is not sent yet makes no difference.

mod million;
mod planted;
