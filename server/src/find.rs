//! `POST /v1/find`: patients of other units of the tenant, by an exact identifier. What comes out is a grant; a claim
//! with its reason, in the logs of both units, opens the patient.

use crate::access;
use crate::admin::duty::{Deed, note};
use crate::places::{Places, Standing};
use crate::refusal::Refusal;
use crate::role::Activity;
use crate::writer::Session;
use uuid::Uuid;
use vereda_core::bytes::ByteBuf;
use vereda_core::limits::{FOUND_MAX, GRANT_MS, REASON_CHARACTERS_MAX};
use vereda_core::protocol::{FindAnswer, FindRequest, Found};
use vereda_core::record::{Compartment, Stream};

/// Answers for a user who may claim patients for the unit.
pub(crate) fn run(
    session: &mut Session<'_>,
    access: Option<&[u8]>,
    request: &FindRequest,
) -> Result<FindAnswer, Refusal> {
    let caller = access::authenticate(session, access, None)?;
    let stream = Stream::new(request.unit, Compartment::Identity);
    let may_claim = caller.member.role.rights().writes.contains(&Activity::Placement);
    if !caller.may_use(&stream) || !may_claim {
        return Err(Refusal::not_found());
    }
    let (tenant, user) = (caller.tenant(), caller.device.user);
    session.shared.throttle_find(user, session.now.ms)?;
    if request.reason.0.chars().count() > REASON_CHARACTERS_MAX {
        return Err(Refusal::too_large(format!(
            "a reason has at most {REASON_CHARACTERS_MAX} characters"
        )));
    }
    // Before anything is looked for: who asked in vain asked all the same.
    let hash = session.store.identifier_hash(tenant, &request.identifier)?;
    let looked_for = Deed {
        user,
        action: "identifier_looked_for",
        subject: Some(Uuid::from_bytes(hash)),
        reason: request.reason.0.clone(),
        at_ms: session.now.ms,
    };
    note(&mut *session.store, tenant, looked_for)?;
    let until_ms = session.now.ms.saturating_add(GRANT_MS);
    let mut answer = FindAnswer::default();
    for patient in session.store.identified(tenant, &request.identifier)? {
        let Some(places) = Places::of(session, tenant, patient)? else {
            continue;
        };
        let grant = match places.standing(&stream) {
            Standing::Has => None,
            Standing::Had | Standing::Never => {
                let key = &session.shared.token_key;
                let grant = key.make_grant(tenant, patient, request.unit, user, until_ms);
                Some(ByteBuf::from(
                    grant.ok_or_else(|| Refusal::internal("no grant could be made"))?,
                ))
            }
        };
        answer.found.push(Found { patient, grant });
        if answer.found.len() == FOUND_MAX {
            break;
        }
    }
    tracing::info!(
        device = caller.device.short,
        found = answer.found.len(),
        "looked for an identifier"
    );
    Ok(answer)
}
