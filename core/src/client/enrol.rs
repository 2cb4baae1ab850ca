//! Enrolment, sign-out, and the first patients of a new device.

use super::Client;
use crate::bytes::ByteArray;
use crate::device::Enrolment;
use crate::engine::HttpRequest;
use crate::error::{Code, Result, SyncError};
use crate::id::PatientId;
use crate::protocol::{
    Encoding, EnrolAnswer, EnrolRequest, EnrolmentCode, PATH_ENROL, PATH_SNAPSHOT, SnapshotAnswer,
    SnapshotDocument, SnapshotRequest, decode, decode_body, encode_body,
};
use crate::record::Stream;
use crate::redact::Sensitive;
use crate::replica;
use crate::step::Step;
use crate::store::meta;
use crate::sync::{Reply, Schedule, TransportError, Verdict, classify};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;

/// Whether an address may carry patient data: https, or http to this very machine.
fn require_safe_address(server: &str) -> Result<()> {
    let rest = match server.split_once("://") {
        Some(("https", _)) => return Ok(()),
        Some(("http", rest)) => rest,
        _ => {
            return Err(SyncError::new(
                Code::AddressRefused,
                "an https:// address is needed",
            ));
        }
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(bracketed) => bracketed.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let local = !authority.contains('@') && matches!(host, "localhost" | "127.0.0.1" | "::1");
    if local {
        Ok(())
    } else {
        Err(SyncError::from(Code::AddressRefused))
    }
}

impl Client {
    /// Enrols this store with a code from an administrator.
    ///
    /// # Errors
    /// `enrolment_code_invalid`, `address_refused`, `no_contact`, `not_our_server`, `already_enrolled`. A device that
    /// signed out, or whose credential the server no longer takes, enrols again as the same user and keeps what it had not sent.
    pub async fn enrol(&self, server: &str, code: &str, label: &str) -> Result<()> {
        let server = server.trim_end_matches('/').to_owned();
        require_safe_address(&server)?;
        let code: EnrolmentCode = BASE64_URL_SAFE_NO_PAD
            .decode(code.trim())
            .ok()
            .and_then(|bytes| decode(&bytes).ok())
            .ok_or(SyncError::from(Code::EnrolmentCodeInvalid))?;
        let incarnation = self
            .call(|step| match &step.device.enrolment {
                Some(enrolment) if enrolment.tokens.is_some() && !is_locked_out(step)? => {
                    Err(SyncError::from(Code::AlreadyEnrolled))
                }
                _ => Ok(step.device.incarnation),
            })
            .await?;
        let request = EnrolRequest {
            secret: code.secret.clone(),
            incarnation,
            hardware: ByteArray::new(*incarnation.store.as_bytes()),
            label: Sensitive(label.to_owned()),
        };
        let authority = code.authority;
        let answer: EnrolAnswer = self
            .ask(HttpRequest {
                server: server.clone(),
                authority: authority.map(|authority| *authority),
                method: "POST",
                path: PATH_ENROL,
                bearer: None,
                content_type: Encoding::Vereda.media_type(),
                body: encode_body(&request, Encoding::Vereda),
            })
            .await
            .map_err(|error| match error.code {
                Code::Unauthenticated | Code::NotFound | Code::RequestMalformed => {
                    SyncError::from(Code::EnrolmentCodeInvalid)
                }
                _ => error,
            })?;
        if answer.signing_key != code.signing_key {
            return Err(SyncError::from(Code::ServerKeyMismatch));
        }
        self.call(move |step| take_enrolment(step, server, authority, answer))
            .await
    }

    /// Signs out: tokens go, everything unsent stays.
    pub async fn sign_out(&self) -> Result<()> {
        self.call(|step| {
            crate::audit::did(step, "sign_out", None, "")?;
            let enrolment = step
                .device
                .enrolment
                .as_mut()
                .ok_or(SyncError::from(Code::NotEnrolled))?;
            enrolment.tokens = None;
            step.device
                .store_enrolment(step.transaction)
                .map_err(SyncError::from)
        })
        .await
    }

    /// Brings patients to the device before the history is read: usable in seconds. Returns how many documents came.
    ///
    /// # Errors
    /// As a synchronisation.
    pub async fn snapshot(&self, patients: Vec<PatientId>) -> Result<usize> {
        let mut left = patients;
        let mut count = 0;
        while !left.is_empty() {
            let batch: Vec<PatientId> = left
                .drain(..left.len().min(crate::limits::SNAPSHOT_PATIENTS_MAX))
                .collect();
            let answer = self.ask_snapshot(batch.clone()).await?;
            // What was left out for its size is asked for again, unless nothing else came with it.
            if answer.left_out.len() < batch.len() {
                left.extend(&answer.left_out);
            }
            let records = answer.records;
            self.call(move |step| {
                records
                    .iter()
                    .try_for_each(|record| replica::accept_snapshot_record(step, record))
            })
            .await?;
            count += self.take_documents(answer.documents).await?;
        }
        Ok(count)
    }

    /// Each document is announced by a committed row before its bytes are opened: one that kills the process is
    /// found so at the next start, and its bytes are not opened again.
    async fn take_documents(&self, documents: Vec<SnapshotDocument>) -> Result<usize> {
        let mut taken = 0;
        for document in documents {
            let announced = document.clone();
            if !self
                .call(move |step| replica::announce(step, &announced, replica::Opening::First))
                .await?
            {
                continue;
            }
            let opened = self
                .call(move |step| replica::take_document(step, &document))
                .await;
            match opened {
                Ok(()) => taken += 1,
                // The gate refused it, or it is set aside: the log brings its entries all the same.
                Err(error) if matches!(error.code, Code::GateRefused | Code::DocumentQuarantined) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(taken)
    }

    async fn ask_snapshot(&self, patients: Vec<PatientId>) -> Result<SnapshotAnswer> {
        let enrolment = self.call(|step| step.device.enrolled().cloned()).await?;
        self.ask(HttpRequest {
            server: enrolment.server.clone(),
            authority: enrolment.authority.map(|authority| *authority),
            method: "POST",
            path: PATH_SNAPSHOT,
            bearer: enrolment.tokens.map(|tokens| tokens.access.clone()),
            content_type: Encoding::Vereda.media_type(),
            body: encode_body(&SnapshotRequest { patients }, Encoding::Vereda),
        })
        .await
    }

    pub(super) async fn ask<T: DeserializeOwned>(&self, request: HttpRequest) -> Result<T> {
        let reply = self.transport.send(request).await;
        if reply == Err(TransportError::Untrusted) {
            return Err(SyncError::new(
                Code::ServerKeyMismatch,
                "the TLS certificate comes from no authority this device trusts",
            ));
        }
        let code = match classify(&reply) {
            Verdict::Message => {
                let Reply { body, .. } = reply.unwrap_or_default();
                return decode_body(&body, Encoding::Vereda).map_err(|_| SyncError::from(Code::NotOurServer));
            }
            Verdict::Retry { code } | Verdict::Authenticate { code } | Verdict::Reject { code } => code,
            Verdict::ScopeLost => Code::NotFound.as_str(),
            Verdict::Split => Code::TooLarge.as_str(),
            Verdict::Reused => Code::Reused.as_str(),
            Verdict::Update => Code::ProtocolUnsupported.as_str(),
        };
        Err(SyncError::from(Code::parse(code).unwrap_or(Code::ServerFailed)))
    }
}

/// Whether the server refused this device's credential when it was last asked.
fn is_locked_out(step: &Step<'_>) -> Result<bool> {
    let schedule: Option<Schedule> = meta::get(step.transaction, "schedule")?;
    let failure = schedule.and_then(|schedule| schedule.failure);
    Ok(failure.is_some_and(|failure| {
        [Code::Unauthenticated, Code::DeviceRevoked]
            .iter()
            .any(|code| code.as_str() == failure.code)
    }))
}

fn take_enrolment(
    step: &mut Step<'_>,
    server: String,
    authority: Option<ByteArray<32>>,
    answer: EnrolAnswer,
) -> Result<()> {
    if let Some(before) = &step.device.enrolment
        && before.user != answer.user
    {
        // Another user's unsent writes would go under this one's name: two users of a tablet have a store each.
        return Err(SyncError::new(
            Code::AlreadyEnrolled,
            "this store belongs to another user; one who was made again after a restore needs their former id",
        ));
    }
    let before = step
        .device
        .enrolment
        .take()
        .map(|enrolment| enrolment.scope.streams);
    let lost: Vec<Stream> = before
        .into_iter()
        .flatten()
        .filter(|stream| !answer.scope.streams.contains(stream))
        .collect();
    step.device.enrolment = Some(Enrolment {
        server,
        signing_key: answer.signing_key,
        authority,
        tenant: answer.tenant,
        user: answer.user,
        scope: answer.scope,
        tokens: Some(answer.tokens),
        epoch: answer.epoch,
    });
    let sent = step.now.boot_ms;
    step.device.observe_server_time(&step.now, answer.time_ms, sent);
    step.device.store_clock(step.transaction)?;
    step.device.store_enrolment(step.transaction)?;
    if lost.is_empty() {
        Ok(())
    } else {
        replica::leave_streams(step, &lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_this_very_machine_only() {
        for good in [
            "https://clinic.example",
            "http://127.0.0.1:8080",
            "http://[::1]:1",
            "http://localhost",
        ] {
            assert!(require_safe_address(good).is_ok(), "{good}");
        }
        for bad in [
            "http://clinic.example",
            "http://127.0.0.1.evil",
            "ftp://x",
            "http://localhost@evil",
            "clinic",
        ] {
            assert!(require_safe_address(bad).is_err(), "{bad}");
        }
    }
}
