//! Who asks, and what they may see. Deny by default; what is absent and what is forbidden look the same.

use crate::refusal::Refusal;
use crate::store::{DeviceRow, MemberRow};
use crate::token::{ReadToken, RefreshWorth};
use crate::writer::Session;
use std::collections::BTreeSet;
use vereda_core::error::Code;
use vereda_core::id::{TenantId, UnitId};
use vereda_core::protocol::{Credential, Scope, Tokens};
use vereda_core::record::{Compartment, Stream};

/// A device that proved who it is.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) device: DeviceRow,
    pub(crate) member: MemberRow,
    pub(crate) streams: BTreeSet<Stream>,
    /// New tokens, when it asked for them.
    pub(crate) tokens: Option<Tokens>,
    /// A supervisor lets a write in that its author may no longer make.
    pub(crate) is_released: bool,
}

impl Caller {
    pub(crate) fn tenant(&self) -> TenantId {
        self.device.tenant
    }

    pub(crate) fn may_use(&self, stream: &Stream) -> bool {
        self.streams.contains(stream)
    }
}

/// The streams of a member: of each unit what their role reads there, and what is granted to them in it.
pub(crate) fn streams(member: &MemberRow) -> BTreeSet<Stream> {
    let of_unit = |unit: UnitId| {
        let granted: Vec<Compartment> = member
            .grants
            .iter()
            .filter_map(|(granted_in, compartment)| (*granted_in == unit).then_some(*compartment))
            .collect();
        let compartments: Vec<Compartment> = member.role.compartments(&granted).collect();
        compartments
            .into_iter()
            .map(move |compartment| Stream::new(unit, compartment))
    };
    member.units.iter().flat_map(|unit| of_unit(unit.id)).collect()
}

/// A member's scope as a device gets it.
pub(crate) fn scope(session: &mut Session<'_>, member: &MemberRow) -> Result<Scope, Refusal> {
    Ok(Scope {
        version: member.scope_version,
        units: member.units.clone(),
        streams: streams(member).into_iter().collect(),
        people: session.store.colleagues(member.user)?,
        reference: session.store.reference_version(member.tenant)?,
        withheld: member.role.withheld().map(str::to_owned).collect(),
    })
}

/// The bytes of `Authorization: Bearer …` (RFC 6750).
pub(crate) fn bearer(authorization: Option<&str>) -> Option<Vec<u8>> {
    use base64::Engine;
    let (scheme, token) = authorization?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| {
        base64::engine::general_purpose::URL_SAFE_NO_PAD
            .decode(token.trim())
            .ok()
    })?
}

/// Authenticates by the access token, or by the refresh token where that one has ended.
pub(crate) fn authenticate(
    session: &mut Session<'_>,
    access: Option<&[u8]>,
    refresh: Option<&Credential>,
) -> Result<Caller, Refusal> {
    let refused = || Refusal::unauthenticated("no valid token");
    let now_ms = session.now.ms;
    let access = access.and_then(ReadToken::read);
    let refresh = refresh.and_then(|refresh| ReadToken::read(&refresh.0));
    let short = access.or(refresh).ok_or_else(refused)?.device;
    let mut device = session.store.device(short)?.ok_or_else(refused)?;
    let (access_ours, access_holds) = access.map_or((false, false), |token| {
        session.shared.token_key.access(&device, &token, now_ms)
    });
    let worth = refresh.map_or(RefreshWorth::Nothing, |token| {
        session.shared.token_key.refresh(&device, &token, now_ms)
    });
    let proven = access_ours || worth != RefreshWorth::Nothing;
    if proven && device.revoked_ms.is_some() {
        return Err(Refusal::new(401, Code::DeviceRevoked, "the device was revoked"));
    }
    let tokens = match worth {
        RefreshWorth::Next(number) | RefreshWorth::Again(number) => {
            device.refresh = number;
            device.refreshed_ms = now_ms;
            session.store.save_device(&device)?;
            Some(session.shared.token_key.tokens(&device, now_ms))
        }
        RefreshWorth::Nothing if access_holds => None,
        RefreshWorth::Nothing => return Err(refused()),
    };
    let member = session.store.member(device.user)?.ok_or_else(refused)?;
    if member.tenant != device.tenant {
        return Err(refused());
    }
    session
        .shared
        .throttle_caller(device.short, device.user, now_ms)?;
    Ok(Caller {
        streams: streams(&member),
        device,
        member,
        tokens,
        is_released: false,
    })
}
