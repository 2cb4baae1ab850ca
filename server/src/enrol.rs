//! `POST /v1/enrol`: a code becomes a device.

use crate::access;
use crate::refusal::Refusal;
use crate::store::{DeviceRow, MemberRow};
use crate::writer::Session;
use sha2::{Digest, Sha256};
use vereda_core::bytes::ByteArray;
use vereda_core::entropy::Entropy;
use vereda_core::error::Code;
use vereda_core::protocol::{EnrolAnswer, EnrolRequest};

/// Characters of a device's label.
const LABEL_CHARACTERS_MAX: usize = 200;

/// Enrols a store. A code is used once; the store that used it may ask again while the code lives, because its
/// answer may have been lost.
pub(crate) fn run(session: &mut Session<'_>, request: &EnrolRequest) -> Result<EnrolAnswer, Refusal> {
    let refused = || Refusal::new(401, Code::EnrolmentCodeInvalid, "the code opens nothing");
    if request.label.chars().count() > LABEL_CHARACTERS_MAX {
        return Err(Refusal::malformed(format!(
            "a label has at most {LABEL_CHARACTERS_MAX} characters"
        )));
    }
    let store = request.incarnation.store;
    let secret_hash: [u8; 32] = Sha256::digest(&request.secret.0).into();
    let code = session.store.enrolment(&secret_hash)?.ok_or_else(refused)?;
    let is_used_elsewhere = code.used_by.is_some_and(|used_by| used_by != store);
    if is_used_elsewhere || session.now.ms >= code.expires_ms {
        return Err(refused());
    }
    let member = session.store.member(code.user)?.ok_or_else(refused)?;
    let known = session.store.device_of_store(store)?;
    if known.as_ref().is_some_and(|device| device.user != member.user) {
        return Err(Refusal::new(
            409,
            Code::AlreadyEnrolled,
            "the store belongs to another user",
        ));
    }
    let device = match known {
        // The code is spent; a revoked device needs a new one.
        Some(device) if code.used_by == Some(store) && device.revoked_ms.is_some() => return Err(refused()),
        // A request that came twice must not end the tokens its first answer brought.
        Some(device) if code.used_by == Some(store) => device,
        known => {
            let short = known.map_or(0, |device| device.short);
            let device = enrolled(session, request, &member, short)?;
            session.store.use_enrolment(&secret_hash, store)?;
            device
        }
    };
    Ok(EnrolAnswer {
        tenant: member.tenant,
        user: member.user,
        scope: access::scope(session, &member)?,
        tokens: session.shared.token_key.tokens(&device, session.now.ms),
        epoch: session.store.epoch()?,
        time_ms: session.now.ms,
        signing_key: ByteArray::new(session.shared.signing_key.verifying_key().to_bytes()),
    })
}

fn enrolled(
    session: &mut Session<'_>,
    request: &EnrolRequest,
    member: &MemberRow,
    short: u32,
) -> Result<DeviceRow, Refusal> {
    let mut salt = [0; 8];
    session.entropy.fill(&mut salt);
    let mut device = DeviceRow {
        short,
        store: request.incarnation.store,
        tenant: member.tenant,
        user: member.user,
        hardware: *request.hardware,
        label: request.label.clone(),
        salt,
        refresh: 1,
        refreshed_ms: session.now.ms,
        enrolled_ms: session.now.ms,
        revoked_ms: None,
    };
    device.short = session.store.save_device(&device)?;
    Ok(device)
}
