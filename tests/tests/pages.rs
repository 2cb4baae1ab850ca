//! Pages that state facts of the code: generated from it, or held to it.
//!
//! `VEREDA_WRITE_PAGES=1 cargo test -p vereda-tests --test pages` writes what is generated anew.

#[path = "pages/limits.rs"]
mod limits_page;

use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use vereda_core::document::LoadedDocument;
use vereda_core::error::{Code, Language};
use vereda_core::limits;

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// What an app does when a call or a write ends with a code. `None` for one that nobody has thought about yet.
fn what_to_do(code: Code) -> Option<&'static str> {
    Some(match code.as_str() {
        "unknown_patient" | "unknown_entry" | "unknown_conflict" | "unknown_write" | "cursor_invalid" => {
            "Reload the list: what it named is not here, or no longer."
        }
        "occurred_in_future" => {
            "Show the time; repeat the call with the time confirmed, or let it be corrected."
        }
        "view_closed" => "Open the patient again, which is audited.",
        "text_empty" | "text_too_long" | "body_too_large" | "body_invalid" | "json_malformed"
        | "kind_unknown" | "not_a_date" | "cpf_invalid" | "cns_invalid" | "identifier_invalid"
        | "birth_date_invalid" | "name_empty" | "not_a_draft" | "already_retracted" | "content_changed"
        | "reason_required" | "field_invalid" | "purpose_required" => {
            "Keep what was typed on the screen and show the message beside the field; nothing was saved."
        }
        "store_exists" => "Say `--replace` if it may be put aside.",
        "store_in_use" => "Stop the server first.",
        "store_locked" | "key_file_unusable" => {
            "Ask for the right key; never make a new store over this one."
        }
        "store_too_new" | "protocol_unsupported" | "app_too_old" => {
            "Offer the update; reading goes on where it can."
        }
        "document_awaited" => "Show it as on its way, and let the person try again after the next round.",
        "store_damaged" | "document_quarantined" => "Show what was set aside; the rest works. Report it.",
        "disk_full" => "Say so; nothing was changed. Reading and sending still work.",
        "outbox_full" => "Say so loudly, and find a network: nothing more can be saved.",
        "store_unavailable" | "closed" => "Open the store again.",
        "not_enrolled" | "enrolment_code_invalid" => "Ask for an enrolment code.",
        "already_enrolled" => "Nothing; another user of the device takes a store of their own.",
        "unauthenticated" | "device_revoked" => "Ask the person to enrol again; unsent writes are kept.",
        "out_of_scope" | "not_found" => {
            "Treat it as absent; a parked write waits for the scope to come back."
        }
        "address_refused" => "Ask for the https address.",
        "no_contact" | "server_busy" | "server_failed" => "Nothing: it is tried again by itself.",
        "not_our_server" => "Hint at a portal's sign-in page; it is tried again by itself.",
        "server_key_mismatch" => "Stop and report it: somebody else answers, or the server lost its keys.",
        "history_changed" => "Nothing: the device first gives the server back what it lost.",
        "tail_refused" => "Report it: what this device kept of the log is not what the server signed.",
        "waiting_for" | "missing_dependency" | "encoding_mismatch" | "internal" => {
            "Nothing: the write waits and is sent again by itself."
        }
        "request_malformed" | "too_large" => "Show the write as parked; report it.",
        "idempotency_key_reused" => "Nothing: the write goes on under another key.",
        "needs_refused" | "policy_refused" | "gate_refused" => {
            "Show it in the drawer: read, edit and send again, export, or discard with a reason."
        }
        "quarantined" => "Tell that a supervisor decides; list it until what became of it was seen.",
        "fhir_malformed" | "fhir_reference" | "file_unreadable" => {
            "List it with file, index and reason; the rest of the import goes on."
        }
        "sync_elsewhere" => "Nothing: another program of this store is at it.",
        _ => return None,
    })
}

fn errors_page() -> String {
    let mut page = String::from(
        "# Errors\n\n\
         Generated from `core/src/error/catalogue.rs`: `VEREDA_WRITE_PAGES=1 cargo test -p vereda-tests --test pages`.\n\n\
         A code never changes its meaning. It comes out of calls (`SyncError::code`), as the reason of a write that is\n\
         parked or lies in the drawer, in `status()`, and from the server in problem documents and outcomes. The detail\n\
         beside it is for developers: limits, positions and names of fields, never patient data. A code that this\n\
         version does not know came from a newer peer: show its text, and do as for `internal`.\n\n\
         | code | what a person reads | | what the app does |\n|---|---|---|---|\n",
    );
    for code in Code::ALL {
        let todo =
            what_to_do(*code).unwrap_or_else(|| panic!("{}: say what an app does with it", code.as_str()));
        page += &format!(
            "| `{}` | {} | {} | {todo} |\n",
            code.as_str(),
            code.message(Language::English),
            code.message(Language::Portuguese),
        );
    }
    page
}

#[test]
fn the_page_of_errors_lists_every_code() {
    let made = errors_page();
    if std::env::var_os("VEREDA_WRITE_PAGES").is_some() {
        std::fs::write(path("docs/guide/errors.md"), made).expect("the page can be written");
        return;
    }
    let stored = read("docs/guide/errors.md");
    assert!(
        stored == made,
        "docs/guide/errors.md is out of date: see its second paragraph"
    );
}

#[test]
fn the_specification_names_the_dictionary_and_the_genesis_change_of_the_code() {
    let specification = read("docs/SPEC.md");
    let dictionary = std::fs::read(path("core/src/protocol/dictionary.bin")).expect("the dictionary");
    let facts = [
        format!(
            "{} bytes, SHA-256 `{}`",
            dictionary.len(),
            hex::encode(Sha256::digest(&dictionary))
        ),
        hex::encode(LoadedDocument::genesis_hash()),
        vereda_core::id::NAMESPACE.to_string(),
    ];
    for fact in facts {
        assert!(specification.contains(&fact), "docs/SPEC.md does not say: {fact}");
    }
}

#[test]
fn the_specification_states_the_limits_of_the_code() {
    let specification = read("docs/SPEC.md");
    let grouped = |number: usize| -> String {
        let digits = number.to_string();
        let mut text = String::new();
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        text
    };
    for (what, number, unit) in [
        ("a body", limits::BODY_WIRE_BYTES_MAX, "bytes"),
        ("a body, decompressed", limits::BODY_DECODED_BYTES_MAX, "bytes"),
        ("a push", limits::BATCH_BYTES_MAX, "bytes"),
        ("a text", limits::TEXT_CHARACTERS_MAX, "characters"),
        ("a structured body", limits::BODY_BYTES_MAX, "bytes"),
        ("a write's content", limits::WRITE_CONTENT_BYTES_MAX, "bytes"),
        ("a reason", limits::REASON_CHARACTERS_MAX, "characters"),
        ("a chart value", limits::CHART_VALUE_CHARACTERS_MAX, "characters"),
        ("a name", limits::NAME_CHARACTERS_MAX, "characters"),
        (
            "a change",
            vereda_core::document::gate::limits::CHANGE_BYTES_MAX,
            "bytes",
        ),
        (
            "a document",
            vereda_core::document::gate::limits::DOCUMENT_BYTES_MAX,
            "bytes",
        ),
    ] {
        let fact = format!("{} {unit}", grouped(number));
        assert!(
            specification.contains(&fact),
            "docs/SPEC.md states another limit of {what} than {fact}"
        );
    }
}

/// The pages of a folder, its folders' too.
fn pages_in(folder: &str, found: &mut Vec<String>) {
    let entries = std::fs::read_dir(path(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    for entry in entries {
        let entry = entry.expect("a name");
        let name = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            pages_in(&name, found);
        } else if name.ends_with(".md") {
            found.push(name);
        }
    }
}

#[test]
fn every_link_between_pages_leads_somewhere() {
    let mut pages: Vec<String> = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "SECURITY.md"]
        .map(str::to_owned)
        .to_vec();
    pages_in("docs", &mut pages);
    for page in &pages {
        let text = read(page);
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.contains("://") && !link.starts_with('#')) {
            let file = link.split('#').next().unwrap_or_default();
            let target = path(page).parent().expect("a page lies in a folder").join(file);
            assert!(target.exists(), "{page}: {link} leads nowhere");
        }
    }
}
