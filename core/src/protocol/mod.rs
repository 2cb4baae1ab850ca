//! The wire protocol v1: the same types as CBOR (RFC 8949, the default) and as JSON. `docs/SPEC.md` is normative.

mod codec;

pub use codec::{DecodeError, decode, encode};
