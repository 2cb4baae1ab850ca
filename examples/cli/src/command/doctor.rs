//! `doctor`: what waits and why, in plain words.

use crate::failure::{Ending, Result};
use crate::output::Output;
use crate::words::{Message, Words};
use serde::Serialize;
use vereda_core::audit::AuditVerification;
use vereda_core::client::Client;
use vereda_core::engine::{Completeness, Status};
use vereda_core::error::Code;
use vereda_core::limits::CLOCK_OFFSET_SHOWN_MS;

/// Something found, and whether a person must act.
#[derive(Serialize)]
struct Finding {
    code: &'static str,
    needs_person: bool,
    text: String,
}

#[derive(Serialize)]
struct Diagnosis {
    needs_person: bool,
    findings: Vec<Finding>,
}

pub(crate) async fn run(client: &Client, output: &Output) -> Result {
    let status = client.status().await?;
    let audit = client.audit().verify().await?;
    let findings = findings(output.words(), &status, &audit);
    let diagnosis = Diagnosis {
        needs_person: findings.iter().any(|finding| finding.needs_person),
        findings,
    };
    output.show(&diagnosis, |words| {
        if diagnosis.findings.is_empty() {
            return words.of(Message::DoctorWell).to_owned();
        }
        let lines = diagnosis.findings.iter().map(|finding| finding.text.as_str());
        lines.collect::<Vec<_>>().join("\n")
    });
    Ok(if diagnosis.needs_person {
        Ending::NeedsPerson
    } else {
        Ending::Done
    })
}

fn findings(words: Words, status: &Status, audit: &AuditVerification) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut found = |code, needs_person, text| {
        findings.push(Finding {
            code,
            needs_person,
            text,
        });
    };
    if !status.enrolled {
        found(
            "not_enrolled",
            true,
            words.of(Message::DoctorNotEnrolled).to_owned(),
        );
    }
    // A process that was just started has not asked yet: what the last one was told still holds.
    let refused = status.failure.as_ref().is_some_and(|failure| {
        let codes = [
            Code::Unauthenticated,
            Code::DeviceRevoked,
            Code::ProtocolUnsupported,
        ];
        codes.iter().any(|code| code.as_str() == failure.code)
    });
    if status.halted || refused {
        found("halted", true, words.of(Message::DoctorHalted).to_owned());
    }
    for (code, message, count) in [
        ("drawer", Message::DoctorDrawer, status.drawer),
        ("parked", Message::DoctorParked, status.parked),
        ("stuck", Message::DoctorStuck, status.stuck),
        ("conflicts", Message::DoctorConflicts, status.conflicts),
        ("undecided", Message::DoctorUndecided, status.undecided),
        ("quarantined", Message::DoctorQuarantined, status.quarantined),
        ("held_decided", Message::DoctorHeldDecided, status.held_decided),
        ("unread", Message::DoctorUnread, status.unread),
        ("unapplied", Message::DoctorUnapplied, status.unapplied),
        ("not_taken", Message::DoctorNotTaken, status.not_taken),
        ("differs", Message::DoctorDiffers, status.differences_standing),
    ] {
        if count > 0 {
            found(code, true, words.with(message, &[&count]));
        }
    }
    if status.held_waiting > 0 {
        found(
            "held_waiting",
            false,
            words.with(Message::DoctorHeldWaiting, &[&status.held_waiting]),
        );
    }
    if let Some(record) = audit.broken_at {
        found(
            "audit_broken",
            true,
            words.with(Message::DoctorAuditBroken, &[&record]),
        );
    }
    if status.outbox_percent >= 80 {
        found(
            "outbox_full",
            true,
            words.with(Message::DoctorOutboxFull, &[&status.outbox_percent]),
        );
    }
    // Parked writes are in the queue too; they were told above.
    let waiting = status.pending.saturating_sub(status.parked);
    if waiting > 0 {
        let age_s = status.oldest_pending_age_ms.unwrap_or(0) / 1_000;
        found(
            "pending",
            false,
            words.with(Message::DoctorPending, &[&waiting, &age_s]),
        );
    }
    if let Some(failure) = &status.failure {
        let next_s = status.next_attempt_in_ms.div_ceil(1_000);
        found(
            "failure",
            false,
            words.with(Message::DoctorFailure, &[&failure.code, &next_s]),
        );
    }
    if let Some(offset_ms) = status
        .clock_offset_ms
        .filter(|ms| ms.abs() > CLOCK_OFFSET_SHOWN_MS)
    {
        found(
            "clock",
            false,
            words.with(Message::DoctorClock, &[&(offset_ms / 1_000)]),
        );
    }
    if status.giving_back > 0 {
        found(
            "giving_back",
            false,
            words.with(Message::DoctorGivingBack, &[&status.giving_back]),
        );
    }
    if status.tail_full {
        let mebibytes = status.tail_bytes / (1024 * 1024);
        found(
            "tail_full",
            false,
            words.with(Message::DoctorTailFull, &[&mebibytes]),
        );
    }
    if status.enrolled && status.last_success_ms.is_some() && status.durability == "no_backup" {
        found("no_backup", false, words.of(Message::DoctorNoBackup).to_owned());
    }
    if status.enrolled && status.last_success_ms.is_some() && status.streams == 0 {
        found("no_scope", false, words.of(Message::DoctorNoScope).to_owned());
    }
    if status.enrolled && status.completeness == Completeness::Partial {
        found("partial", false, words.of(Message::DoctorPartial).to_owned());
    }
    findings
}
