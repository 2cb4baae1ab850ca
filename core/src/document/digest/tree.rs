//! Sums over leaves: the exclusive or of all under a node, so that neither order nor history matters and a leaf goes
//! out as it came in.

use super::{DigestLeaf, DigestNode};

/// The sums of a node's children.
pub type SumsBelow = [u64; DigestNode::CHILDREN];

/// Whoever knows the leaves of a stream.
pub trait DigestSource {
    /// Why it could not say.
    type Error;
    /// The sums of a node's children.
    fn sums_below(&mut self, node: DigestNode) -> Result<SumsBelow, Self::Error>;
    /// The leaves under a node, by place and id, at most `limit`.
    fn leaves_in(&mut self, node: DigestNode, limit: usize) -> Result<Vec<DigestLeaf>, Self::Error>;
}

/// All leaves of a stream in memory, 28 bytes each.
#[derive(Clone, Default)]
pub struct DigestTree {
    leaves: Vec<(u32, DigestLeaf)>,
}

impl std::fmt::Debug for DigestTree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DigestTree({})", self.leaves.len())
    }
}

impl DigestTree {
    /// The tree over these.
    pub fn new(leaves: impl IntoIterator<Item = DigestLeaf>) -> Self {
        let placed = leaves
            .into_iter()
            .map(|leaf| (DigestNode::place_of(&leaf.id), leaf));
        let mut leaves: Vec<_> = placed.collect();
        leaves.sort_unstable();
        Self { leaves }
    }

    /// How many leaves.
    pub fn len(&self) -> usize {
        self.leaves.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.leaves.is_empty()
    }

    /// The sum of all.
    pub fn root(&self) -> u64 {
        self.leaves.iter().fold(0, |sum, (_, leaf)| sum ^ leaf.leaf)
    }

    /// The sums of a node's children.
    pub fn sums_below(&self, node: DigestNode) -> SumsBelow {
        let mut sums = [0; DigestNode::CHILDREN];
        for (sum, child) in sums.iter_mut().zip(node.children()) {
            *sum = self.under(child).iter().fold(0, |sum, (_, leaf)| sum ^ leaf.leaf);
        }
        sums
    }

    /// The leaves under a node, by place and id.
    pub fn leaves_in(&self, node: DigestNode) -> impl Iterator<Item = DigestLeaf> {
        self.under(node).iter().map(|(_, leaf)| *leaf)
    }

    fn under(&self, node: DigestNode) -> &[(u32, DigestLeaf)] {
        let places = node.places();
        let from = self.leaves.partition_point(|(place, _)| *place < places.start);
        let to = self.leaves.partition_point(|(place, _)| *place < places.end);
        &self.leaves[from..to]
    }
}

impl DigestSource for DigestTree {
    type Error = std::convert::Infallible;

    fn sums_below(&mut self, node: DigestNode) -> Result<SumsBelow, Self::Error> {
        Ok(DigestTree::sums_below(self, node))
    }

    fn leaves_in(&mut self, node: DigestNode, limit: usize) -> Result<Vec<DigestLeaf>, Self::Error> {
        Ok(DigestTree::leaves_in(self, node).take(limit).collect())
    }
}
