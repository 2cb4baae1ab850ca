//! Two trees are compared from the root down: the asker shows the sums of a node's children, the other side answers for
//! each that differs with what is below it, and so every exchange goes two levels down.

use super::{DigestLeaf, DigestNode, DigestSource, DigestTree, SumsBelow};
use crate::limits::{DIGEST_ANSWER_BYTES, DIGEST_DIFFERENCES_MAX, DIGEST_NODES_MAX};
use crate::protocol::{DigestAsked, DigestBelow, DigestDiffering};
use std::collections::{BTreeMap, VecDeque};

/// Up to so many leaves take less room than the sums of a node's children.
const LEAVES_OVER_SUMS: usize = DigestNode::CHILDREN * SUM_BYTES / LEAF_BYTES;
const SUM_BYTES: usize = 8;
const LEAF_BYTES: usize = 24;

/// What of one leaf differs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Difference {
    /// The other side has it, and it is not here.
    NotHere(DigestLeaf),
    /// Both have it; this is the other side's.
    Otherwise(DigestLeaf),
    /// It is here, and the other side does not have it.
    OnlyHere(DigestLeaf),
}

/// The shown sums of the root of a tree differ: answers what is asked of nodes. Says whether some of it was left out,
/// because the answer has a bound.
///
/// # Errors
/// Those of the source.
pub fn answer_digest<S: DigestSource>(
    source: &mut S,
    asked: &[(DigestNode, SumsBelow)],
) -> Result<(Vec<DigestDiffering>, bool), S::Error> {
    let mut differing = Vec::new();
    let (mut bytes, mut more) = (0, false);
    for (node, shown) in asked {
        let here = source.sums_below(*node)?;
        for ((child, here), shown) in node.children().zip(here).zip(shown) {
            if here == *shown {
                continue;
            }
            if bytes > DIGEST_ANSWER_BYTES {
                return Ok((differing, true));
            }
            let Some(below) = below(source, child)? else {
                more = true;
                continue;
            };
            bytes += below.bytes();
            differing.push(DigestDiffering {
                depth: child.depth(),
                place: child.place(),
                below,
            });
        }
    }
    Ok((differing, more))
}

/// What is below a node; none where it is more than an answer takes, which no honest ids come to.
fn below<S: DigestSource>(source: &mut S, node: DigestNode) -> Result<Option<DigestBelow>, S::Error> {
    let most = match node.is_last() {
        true => DIGEST_ANSWER_BYTES / LEAF_BYTES,
        false => LEAVES_OVER_SUMS,
    };
    let leaves = source.leaves_in(node, most + 1)?;
    if leaves.len() <= most {
        return Ok(Some(DigestBelow::of_leaves(&leaves)));
    }
    if node.is_last() {
        return Ok(None);
    }
    Ok(Some(DigestBelow::of_sums(&source.sums_below(node)?)))
}

/// A comparison on its way down, on the side that asks.
#[derive(Debug, Default)]
pub struct Descent {
    open: VecDeque<DigestNode>,
    found: Vec<Difference>,
    /// There is more than was found: the bounds of an answer or of a run.
    more: bool,
}

impl Descent {
    /// One that begins at the root.
    pub fn new() -> Self {
        Self {
            open: VecDeque::from([DigestNode::ROOT]),
            ..Self::default()
        }
    }

    /// What to ask next; nothing where all is found.
    pub fn next(&self, tree: &DigestTree) -> Vec<DigestAsked> {
        let next = self.open.iter().take(DIGEST_NODES_MAX);
        next.map(|node| DigestAsked::new(*node, &tree.sums_below(*node)))
            .collect()
    }

    /// Takes in what the other side says of the nodes last asked for. What it says of others is not looked at.
    pub fn take(&mut self, tree: &DigestTree, differing: &[DigestDiffering], more: bool) {
        let asked: Vec<DigestNode> = self.open.drain(..self.open.len().min(DIGEST_NODES_MAX)).collect();
        self.more |= more;
        for said in differing {
            let Some(node) = said.node() else { continue };
            if !asked
                .iter()
                .any(|asked| asked.children().any(|child| child == node))
            {
                continue;
            }
            match &said.below {
                DigestBelow::Leaves(_) => self.compare_leaves(tree, node, said.below.leaves()),
                DigestBelow::Sums(_) => {
                    let Some(there) = said.below.sums() else { continue };
                    let here = tree.sums_below(node);
                    let differ = node.children().zip(here).zip(there);
                    for ((child, _), _) in differ.filter(|((_, here), there)| here != there) {
                        self.open_or_drop(child);
                    }
                }
            }
        }
    }

    fn open_or_drop(&mut self, node: DigestNode) {
        if self.found.len() + self.open.len() < DIGEST_DIFFERENCES_MAX {
            self.open.push_back(node);
        } else {
            self.more = true;
        }
    }

    fn compare_leaves(&mut self, tree: &DigestTree, node: DigestNode, there: Vec<DigestLeaf>) {
        let mut here: BTreeMap<[u8; 16], u64> =
            tree.leaves_in(node).map(|leaf| (leaf.id, leaf.leaf)).collect();
        let mut found = Vec::new();
        for leaf in there {
            match here.remove(&leaf.id) {
                None => found.push(Difference::NotHere(leaf)),
                Some(mine) if mine != leaf.leaf => found.push(Difference::Otherwise(leaf)),
                Some(_) => {}
            }
        }
        let left = here.into_iter().map(|(id, leaf)| DigestLeaf { id, leaf });
        found.extend(left.map(Difference::OnlyHere));
        let room = DIGEST_DIFFERENCES_MAX.saturating_sub(self.found.len());
        self.more |= found.len() > room;
        self.found.extend(found.into_iter().take(room));
    }

    /// What was found, once nothing is to be asked; and whether there is more than that.
    pub fn found(self) -> (Vec<Difference>, bool) {
        (self.found, self.more)
    }
}
