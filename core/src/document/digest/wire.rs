//! Nodes, sums and leaves as messages carry them.

use super::{DigestLeaf, DigestNode, SumsBelow};
use crate::bytes::ByteBuf;
use crate::protocol::{DigestAsked, DigestBelow, DigestDiffering};

const SUM_BYTES: usize = 8;
const LEAF_BYTES: usize = 24;

fn sum_bytes(sums: &SumsBelow) -> ByteBuf {
    ByteBuf::from(sums.iter().flat_map(|sum| sum.to_be_bytes()).collect::<Vec<u8>>())
}

fn sums_of(bytes: &[u8]) -> Option<SumsBelow> {
    let mut sums = [0; DigestNode::CHILDREN];
    if bytes.len() != SUM_BYTES * sums.len() {
        return None;
    }
    for (sum, bytes) in sums.iter_mut().zip(bytes.chunks_exact(SUM_BYTES)) {
        *sum = u64::from_be_bytes(bytes.try_into().ok()?);
    }
    Some(sums)
}

impl DigestAsked {
    /// A node with the sums of its children.
    pub fn new(node: DigestNode, sums: &SumsBelow) -> Self {
        Self {
            depth: node.depth(),
            place: node.place(),
            sums: sum_bytes(sums),
        }
    }

    /// The node and the sums; none where there is no such node with children, or not 64 sums.
    pub fn read(&self) -> Option<(DigestNode, SumsBelow)> {
        let node = DigestNode::new(self.depth, self.place).filter(|node| !node.is_last())?;
        Some((node, sums_of(&self.sums)?))
    }
}

impl DigestDiffering {
    /// The node; none where there is no such node.
    pub fn node(&self) -> Option<DigestNode> {
        DigestNode::new(self.depth, self.place)
    }
}

impl DigestBelow {
    /// The sums of a node's children.
    pub fn of_sums(sums: &SumsBelow) -> Self {
        Self::Sums(sum_bytes(sums))
    }

    /// The leaves under a node.
    pub fn of_leaves(leaves: &[DigestLeaf]) -> Self {
        let bytes = leaves.iter().flat_map(|leaf| {
            let mut bytes = leaf.id.to_vec();
            bytes.extend(leaf.leaf.to_be_bytes());
            bytes
        });
        Self::Leaves(ByteBuf::from(bytes.collect::<Vec<u8>>()))
    }

    /// How long it is.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Sums(bytes) | Self::Leaves(bytes) => bytes.len(),
        }
    }

    /// The sums, where it is these and they are 64.
    pub fn sums(&self) -> Option<SumsBelow> {
        match self {
            Self::Sums(bytes) => sums_of(bytes),
            Self::Leaves(_) => None,
        }
    }

    /// The leaves, where it is these.
    pub fn leaves(&self) -> Vec<DigestLeaf> {
        let bytes: &[u8] = match self {
            Self::Leaves(bytes) => bytes,
            Self::Sums(_) => &[],
        };
        let leaves = bytes.chunks_exact(LEAF_BYTES).filter_map(|bytes| {
            let (id, leaf) = bytes.split_at_checked(16)?;
            Some(DigestLeaf {
                id: id.try_into().ok()?,
                leaf: u64::from_be_bytes(leaf.try_into().ok()?),
            })
        });
        leaves.collect()
    }
}
