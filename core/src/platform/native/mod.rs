//! Phones, desktops, servers: a thread that owns the store, reqwest over rustls, the operating system's clocks and
//! randomness.

mod clock;
mod entropy;
mod http;
mod live;
mod owner;
mod sending;
mod trust;

pub use clock::SystemClock;
pub use entropy::SystemEntropy;
pub use http::HttpTransport;
pub use owner::{LogSink, OpenOptions, OpenStore, open};
