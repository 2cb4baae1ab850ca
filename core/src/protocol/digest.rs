//! `POST /v1/digest`: where a device and the server differ, by sums over what a reader of a stream should hold.

use crate::bytes::{ByteArray, ByteBuf};
use crate::record::Stream;
use serde::{Deserialize, Serialize};

/// A device shows sums of what it holds of a stream, as accepted by the server.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DigestRequest {
    /// The stream.
    pub stream: Stream,
    /// Where the device stands in it.
    pub seq: u64,
    /// The server's root there, as its answer of [`super::SyncAnswer`] said.
    pub root: ByteArray<8>,
    /// Nodes of the device's tree, at most `limits::DIGEST_NODES_MAX`.
    pub nodes: Vec<DigestAsked>,
}

/// A node of the asker's tree.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DigestAsked {
    /// How far below the root: 0 to 2.
    pub depth: u8,
    /// Its place among the nodes of this depth.
    pub place: u32,
    /// The sums of its 64 children, eight bytes each, big-endian.
    pub sums: ByteBuf,
}

/// What differs.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct DigestAnswer {
    /// The server's history.
    pub epoch: u64,
    /// The stream no longer stands where the request says, or its root is another: nothing was compared.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub moved: bool,
    /// The children of the nodes asked for that differ.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differing: Vec<DigestDiffering>,
    /// Some were left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// A node of the server's tree whose sum is another one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DigestDiffering {
    /// How far below the root: 1 to 3.
    pub depth: u8,
    /// Its place among the nodes of this depth.
    pub place: u32,
    /// What is below it.
    pub below: DigestBelow,
}

/// What the server has below a node, whichever is shorter.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DigestBelow {
    /// The sums of its 64 children, eight bytes each, big-endian.
    Sums(ByteBuf),
    /// Its leaves: for each the id, 16 bytes, and the leaf, 8 bytes big-endian.
    Leaves(ByteBuf),
}
