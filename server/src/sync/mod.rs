//! `POST /v1/sync`: push, audit, pull, in one transaction.

mod audit;
mod document;
mod history;
mod placement;
mod policy;
mod pull;
mod push;
pub(crate) mod quarantine;
mod record;
mod settle;
pub(crate) mod tail;
mod verdict;

use crate::access::{self, Caller};
use crate::digest;
use crate::refusal::Refusal;
use crate::writer::Session;
use std::collections::BTreeSet;
use vereda_core::bytes::ByteArray;
use vereda_core::error::Code;
use vereda_core::id::Incarnation;
use vereda_core::limits::BATCH_ITEMS_MAX;
use vereda_core::protocol::{Outcome, Seen, SyncAnswer, SyncRequest};

/// Cursors in one request: far more than anybody's scope.
const CURSORS_MAX: usize = 1_000;

/// Answers a sync request.
pub(crate) fn run(
    session: &mut Session<'_>,
    access: Option<&[u8]>,
    request: SyncRequest,
) -> Result<SyncAnswer, Refusal> {
    let caller = access::authenticate(session, access, request.refresh.as_ref())?;
    check_size(&request)?;
    let incarnation = Incarnation {
        store: caller.device.store,
        number: request.incarnation,
    };
    let history = history::compare(session, &caller, &incarnation, &request)?;
    let outcomes = if history.is_behind {
        push::postpone(&request.push)?
    } else {
        push::run(session, &caller, &incarnation, &request.push)?
    };
    if let [(_, outcome)] = outcomes.as_slice()
        && is_reused(outcome)
    {
        return Err(Refusal::new(
            422,
            Code::Reused,
            "the write's number came before with other bytes",
        ));
    }
    let audit = request
        .audit
        .as_ref()
        .map(|batch| audit::receive(session, &caller, &incarnation, &request, batch))
        .transpose()?;
    let pulled = pull::run(session, &caller, &incarnation, &request, &history)?;
    // What it has to send goes in first; only when nothing is left to say is it told that it must be updated.
    if pulled.is_stuck() && request.push.is_empty() && audit.is_none() {
        return Err(Refusal::new(
            426,
            Code::AppTooOld,
            "what comes next needs a newer minor version",
        ));
    }
    let seen = session
        .store
        .highest_outcome(&incarnation)?
        .map(|(n, hash)| Seen {
            n,
            check: check(&hash),
        });
    let scope = if request.scope == caller.member.scope_version {
        None
    } else {
        Some(access::scope(session, &caller.member)?)
    };
    tracing::info!(
        device = caller.device.short,
        pushed = outcomes.len(),
        accepted = outcomes
            .iter()
            .filter(|(_, outcome)| matches!(outcome, Outcome::Accepted { .. }))
            .count(),
        pages = pulled.pages.len(),
        renewed = caller.tokens.is_some(),
        "synchronised"
    );
    let signature = pulled.sign(session);
    let durable = durable(session, &caller, &request)?;
    let reference = request
        .reference
        .map(|from| session.store.reference(caller.tenant(), from))
        .transpose()?;
    let digests = if request.digest && !history.is_behind {
        digests(session, &caller, &request, &pulled)?
    } else {
        Vec::new()
    };
    let quarantine = quarantine::answer(session, &caller, &incarnation, &request.quarantined)?;
    let Caller { tokens, .. } = caller;
    Ok(SyncAnswer {
        segments: pulled.segments,
        epoch: pulled.epoch,
        time_ms: session.now.ms,
        seen,
        outcomes: push::runs(outcomes),
        origins: pulled.origins,
        pages: pulled.pages,
        scope,
        tokens,
        audit,
        durable,
        reference,
        quarantine,
        unproven: pulled.unproven,
        digests,
        signature,
    })
}

/// The first four bytes of a hash, as messages carry it.
fn check(hash: &[u8; 32]) -> u32 {
    u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]])
}

fn is_reused(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Refused { code, .. } if code == Code::Reused.as_str())
}

fn check_size(request: &SyncRequest) -> Result<(), Refusal> {
    if request.push.len() > BATCH_ITEMS_MAX {
        return Err(Refusal::too_large(format!(
            "a batch has at most {BATCH_ITEMS_MAX} items"
        )));
    }
    if request.cursors.len().max(request.reached.len()) > CURSORS_MAX {
        return Err(Refusal::too_large(format!("at most {CURSORS_MAX} cursors")));
    }
    let streams: BTreeSet<_> = request.cursors.iter().map(|cursor| cursor.stream).collect();
    if streams.len() < request.cursors.len() {
        return Err(Refusal::malformed("two cursors of one stream"));
    }
    Ok(())
}

/// The digest of each stream that the answer reads to its end.
fn digests(
    session: &mut Session<'_>,
    caller: &Caller,
    request: &SyncRequest,
    pulled: &pull::Pulled,
) -> Result<Vec<(u32, ByteArray<8>)>, Refusal> {
    let mut digests = Vec::new();
    for (cursor, index) in request.cursors.iter().zip(0_u32..) {
        let is_left_out = pulled.segments.contains(&index) || pulled.unproven.contains(&index);
        if is_left_out || !caller.may_use(&cursor.stream) {
            continue;
        }
        let is_at_end = match pulled.pages.iter().find(|page| page.stream == cursor.stream) {
            Some(page) => !page.more,
            None => session.store.head(&cursor.stream)?.seq == cursor.seq,
        };
        if is_at_end && let Some(root) = digest::root(session, caller.tenant(), &cursor.stream)? {
            digests.push((index, root));
        }
    }
    Ok(digests)
}

/// How far the request's streams lie in a verified copy. Of a stream out of scope that is a count, and not told.
fn durable(
    session: &mut Session<'_>,
    caller: &Caller,
    request: &SyncRequest,
) -> Result<Vec<(u32, u64)>, Refusal> {
    let durable = session.store.durable()?;
    let makes_copies = session.shared.makes_copies();
    Ok(request
        .cursors
        .iter()
        .zip(0_u32..)
        .filter(|(cursor, _)| caller.may_use(&cursor.stream))
        // A stream that began after the copy is told of too: copies are made.
        .filter_map(|(cursor, index)| match durable.get(&cursor.stream) {
            Some(seq) => Some((index, *seq)),
            None => makes_copies.then_some((index, 0)),
        })
        .collect())
}
