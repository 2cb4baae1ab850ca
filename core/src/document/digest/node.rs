//! The tree over a stream's leaves: 64 children to a node, three levels below the root. A leaf's place is the last 18
//! bits of its id, so ids that begin alike (UUIDv7) spread all the same.

use std::ops::Range;

/// Children of a node.
const FANOUT: u32 = 64;
/// Levels below the root.
const DEPTH: u8 = 3;

/// A node: the root, one of 64 groups, of 4,096 buckets or of 262,144 places.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DigestNode {
    depth: u8,
    place: u32,
}

impl DigestNode {
    /// Everything.
    pub const ROOT: Self = Self { depth: 0, place: 0 };
    /// Children of a node.
    pub const CHILDREN: usize = FANOUT as usize;
    /// Buckets: the nodes whose sums a server keeps.
    pub const BUCKETS: usize = (FANOUT * FANOUT) as usize;

    /// A node by its depth (0 is the root) and its place among those of the depth; none where there is no such node.
    pub fn new(depth: u8, place: u32) -> Option<Self> {
        let exists = depth <= DEPTH && place < FANOUT.pow(u32::from(depth));
        exists.then_some(Self { depth, place })
    }

    /// How far below the root.
    pub fn depth(self) -> u8 {
        self.depth
    }

    /// The place among the nodes of its depth.
    pub fn place(self) -> u32 {
        self.place
    }

    /// Whether it has no children: what is under it is compared leaf by leaf.
    pub fn is_last(self) -> bool {
        self.depth == DEPTH
    }

    /// Its children, in their order; of the last level none.
    pub fn children(self) -> impl Iterator<Item = Self> {
        let count = if self.is_last() { 0 } else { FANOUT };
        (0..count).map(move |child| Self {
            depth: self.depth + 1,
            place: self.place * FANOUT + child,
        })
    }

    /// The places of the leaves under it.
    pub fn places(self) -> Range<u32> {
        let width = FANOUT.pow(u32::from(DEPTH - self.depth));
        self.place * width..(self.place + 1) * width
    }

    /// The buckets it is made of; none where it lies within one.
    pub fn buckets(self) -> Option<Range<usize>> {
        let places = self.places();
        let whole = self.depth < DEPTH;
        whole.then_some((places.start / FANOUT) as usize..(places.end / FANOUT) as usize)
    }

    /// The place of a leaf.
    pub fn place_of(id: &[u8; 16]) -> u32 {
        let last = u32::from_be_bytes([id[12], id[13], id[14], id[15]]);
        last % FANOUT.pow(u32::from(DEPTH))
    }

    /// The bucket of a leaf.
    pub fn bucket_of(id: &[u8; 16]) -> usize {
        (Self::place_of(id) / FANOUT) as usize
    }
}
