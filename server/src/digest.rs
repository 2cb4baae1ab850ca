//! `POST /v1/digest`, and the digest's root of a sync answer: what a reader of a stream should hold, which is what is at
//! home in it and what open shares bring into it now.

use crate::access;
use crate::refusal::Refusal;
use crate::store::{StoreError, StoreResult};
use crate::writer::Session;
use vereda_core::bytes::ByteArray;
use vereda_core::document::digest::{
    DigestLeaf, DigestNode, DigestSource, DigestTree, SumsBelow, answer_digest,
};
use vereda_core::error::Code;
use vereda_core::id::TenantId;
use vereda_core::limits::{DIGEST_FILL_DOCUMENTS, DIGEST_NODES_MAX};
use vereda_core::protocol::{DigestAnswer, DigestAsked, DigestRequest};
use vereda_core::record::Stream;

/// A stream as it stands in this transaction.
struct StreamDigest<'a, 'b> {
    session: &'a mut Session<'b>,
    tenant: TenantId,
    stream: Stream,
    /// Of each bucket, guests among them.
    sums: Vec<u64>,
    guests: DigestTree,
}

impl<'a, 'b> StreamDigest<'a, 'b> {
    /// None where leaves of documents stored before any was kept are still to be found: some are found now.
    fn read(session: &'a mut Session<'b>, tenant: TenantId, stream: Stream) -> StoreResult<Option<Self>> {
        if !session
            .store
            .fill_digest(tenant, &stream, DIGEST_FILL_DOCUMENTS)?
        {
            return Ok(None);
        }
        let mut sums = session.store.digest_sums(&stream)?;
        let guests = session.store.digest_guests(tenant, &stream, session.now.ms)?;
        for guest in &guests {
            let sum = sums.get_mut(DigestNode::bucket_of(&guest.id));
            *sum.ok_or(StoreError::Damaged("digest"))? ^= guest.leaf;
        }
        Ok(Some(Self {
            session,
            tenant,
            stream,
            sums,
            guests: DigestTree::new(guests),
        }))
    }

    fn root(&self) -> ByteArray<8> {
        let root = self.sums.iter().fold(0, |sum, bucket| sum ^ bucket);
        ByteArray::new(root.to_be_bytes())
    }
}

impl DigestSource for StreamDigest<'_, '_> {
    type Error = StoreError;

    fn sums_below(&mut self, node: DigestNode) -> StoreResult<SumsBelow> {
        let mut sums = [0; DigestNode::CHILDREN];
        let mut within = None;
        for (sum, child) in sums.iter_mut().zip(node.children()) {
            *sum = match child.buckets().and_then(|buckets| self.sums.get(buckets)) {
                Some(buckets) => buckets.iter().fold(0, |sum, bucket| sum ^ bucket),
                None => {
                    if within.is_none() {
                        within = Some(DigestTree::new(self.leaves_in(node, usize::MAX)?));
                    }
                    let leaves = within.iter().flat_map(|tree| tree.leaves_in(child));
                    leaves.fold(0, |sum, leaf| sum ^ leaf.leaf)
                }
            };
        }
        Ok(sums)
    }

    fn leaves_in(&mut self, node: DigestNode, limit: usize) -> StoreResult<Vec<DigestLeaf>> {
        let (tenant, stream) = (self.tenant, self.stream);
        let limit = limit.min(i32::MAX as usize);
        let at_home = self
            .session
            .store
            .digest_leaves(tenant, &stream, node.places(), limit)?;
        let leaves = DigestTree::new(at_home.into_iter().chain(self.guests.leaves_in(node)));
        Ok(leaves.leaves_in(node).take(limit).collect())
    }
}

/// The root of a stream; none where it is not known yet.
pub(crate) fn root(
    session: &mut Session<'_>,
    tenant: TenantId,
    stream: &Stream,
) -> StoreResult<Option<ByteArray<8>>> {
    Ok(StreamDigest::read(session, tenant, *stream)?.map(|digest| digest.root()))
}

/// Answers what differs below the nodes shown.
pub(crate) fn run(
    session: &mut Session<'_>,
    access: Option<&[u8]>,
    request: &DigestRequest,
) -> Result<DigestAnswer, Refusal> {
    let caller = access::authenticate(session, access, None)?;
    if !caller.may_use(&request.stream) {
        return Err(Refusal::not_found());
    }
    if request.nodes.len() > DIGEST_NODES_MAX {
        return Err(Refusal::too_large(format!(
            "a digest shows at most {DIGEST_NODES_MAX} nodes"
        )));
    }
    let nodes: Option<Vec<(DigestNode, SumsBelow)>> = request.nodes.iter().map(DigestAsked::read).collect();
    let Some(nodes) = nodes else {
        return Err(Refusal::new(
            400,
            Code::RequestMalformed,
            "a node of a digest with its 64 sums",
        ));
    };
    let mut answer = DigestAnswer {
        epoch: session.store.epoch()?,
        moved: true,
        ..DigestAnswer::default()
    };
    if session.store.head(&request.stream)?.seq != request.seq {
        return Ok(answer);
    }
    let Some(mut digest) = StreamDigest::read(session, caller.tenant(), request.stream)? else {
        return Ok(answer);
    };
    if digest.root() == request.root {
        answer.moved = false;
        (answer.differing, answer.more) = answer_digest(&mut digest, &nodes)?;
    }
    Ok(answer)
}
