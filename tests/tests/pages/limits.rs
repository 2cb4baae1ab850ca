//! `docs/guide/limits.md`: every limit of the code, its value, and what happens past it.

use super::{path, read};

/// What happens past a limit. `None` for one that nobody has thought about yet.
fn past_it(name: &str) -> Option<&'static str> {
    Some(match name {
        "TEXT_CHARACTERS_MAX" | "REASON_CHARACTERS_MAX" => "`text_too_long`; nothing is saved",
        "BODY_BYTES_MAX" => "`body_too_large`; nothing is saved",
        "CHAPTER_PART_BYTES" | "CHAPTER_PART_ENTRIES" => {
            "the writer opens the next part; no merge is judged by it"
        }
        "BATCH_ITEMS_MAX" => "the device sends the rest in its next request; the server answers 413",
        "BATCH_BYTES_MAX" => "the rest goes in the next request; one write goes whatever its size",
        "PAGE_BYTES_MAX" => "`more`: the device asks again at once",
        "BODY_WIRE_BYTES_MAX" | "BODY_DECODED_BYTES_MAX" => {
            "413 `too_large`; the device halves its batch, and parks a write that stands alone"
        }
        "BODY_RATIO_MAX" => "refused before it is held; honest senders fill up (SPEC 1.5)",
        "WRITE_ENTRIES_MAX" | "WRITE_AFTER_MAX" | "TEXT_EDITS_MAX" | "FIELDS_MAX" => {
            "`field_invalid`; nothing is saved"
        }
        "NAME_CHARACTERS_MAX" | "LINE_CHARACTERS_MAX" | "CHART_VALUE_CHARACTERS_MAX" => {
            "`field_invalid`; nothing is saved"
        }
        "GRANT_BYTES_MAX" => "`field_invalid`; nothing is saved",
        "WRITE_CONTENT_BYTES_MAX" => "`too_large`; nothing is saved",
        "KIND_CHARACTERS_MAX" => "`kind_unknown`; nothing is saved",
        "REFERENCE_ROWS_MAX" | "REFERENCE_BYTES_MAX" => "the device asks again for the rest",
        "REFERENCE_FRESH_MS" => "lists say since when they are stale; they go on being used",
        "OUTBOX_WRITES_MAX" | "OUTBOX_BYTES_MAX" => {
            "`outbox_full`; `status()` is loud from 80 % on; reading and sending go on"
        }
        "STUCK_ATTEMPTS" | "STUCK_AGE_MS" => "counted in `status().stuck`; tried on",
        "RETRY_DELAY_MS_BASE" => "the next delay is drawn from twice as much, up to the largest",
        "RETRY_DELAY_MS_MAX" => "no delay is longer, nor one of a clock set wrong",
        "REQUEST_TIMEOUT_MS" => "the request failed; its writes keep their ids",
        "LOADED_DOCUMENTS_MAX" | "LOADED_BYTES_MAX" => "the least recently used one is dropped from memory",
        "SLICE_ITEMS" | "SLICE_ENTRIES" | "INGEST_ROWS" => {
            "the rest is the next step; people's commands go between"
        }
        "WATCHER_CHANGES_MAX" => "a watcher that lags reads its page anew once",
        "SNAPSHOT_PATIENTS_MAX" | "DOCUMENTS_ASKED_MAX" => "413; the device asks in several requests",
        "LINKED_PATIENTS_MAX" => "lists say `partial`: the rest of the records is not read with these",
        "SEGMENT_ROWS" | "SEGMENT_CONTENT_BYTES" => "the next document begins the next segment",
        "SEGMENT_PIECE_BYTES" => "the device asks for the next piece",
        "SEGMENTS_FROM_BYTES" => "segments are offered; below it the log is read",
        "FUTURE_TOLERANCE_MS" => "`occurred_in_future` until it is confirmed; the server refuses no time",
        "CLOCK_OFFSET_SHOWN_MS" => "shown as wrong; remote clocks drag ours no further",
        "VIEW_IDLE_MS" => "`view_closed`: the patient is opened again, which is audited",
        "ACCESS_TOKEN_MS" => "the refresh credential goes along; costs no request",
        "REFRESH_TOKEN_MS" => "401: a person enrols again; unsent writes are kept",
        "PAGE_ROWS" | "PAGE_ROWS_MAX" => "`next` leads to the next page",
        "CHUNKS_BEFORE_COMPACTION" => "they become one",
        "TRANSFER_SHARE_MS" | "CLAIM_SHARE_MS" => {
            "the patient leaves that unit's devices; what they had not sent is held for a supervisor"
        }
        "GRANT_MS" => "the claim is refused, into the drawer",
        "FINDS_AT_ONCE" | "FINDS_PER_HOUR" => "429 with `Retry-After`: identifiers are not tried out",
        "QUARANTINED_ASKED_MAX" => "the rest is asked for by later requests",
        "TAIL_AGE_MS" => "it goes, where a verified copy holds it",
        "TAIL_BYTES_MAX" => "the oldest items go, and `status()` says `tail_full`",
        "TAIL_RUN_BYTES" | "TAIL_RUN_ITEMS" => "more requests",
        "TAIL_TRIM_ROWS" => "the next step",
        "AUDIT_RECEIVED_RECORDS_KEPT" => "the oldest of them go",
        "DIGEST_EVERY_MS" => "it compares again; `vereda verify` asks at any time",
        "DIGEST_RETRY_MS" => "it tries again",
        "DIGEST_NODES_MAX" => "413; the device shows the rest in its next request",
        "DIGEST_ANSWER_BYTES" | "DIGEST_DIFFERENCES_MAX" => {
            "the rest is found by the next comparison, which follows at once where something was repaired"
        }
        "DIGEST_ROUNDS_MAX" => "the next day's comparison goes on",
        "DIGEST_STEP_BYTES" | "DIGEST_STEP_ROWS" => "the rest is the next step; people's commands go between",
        "DIGEST_FILL_DOCUMENTS" => "the stream is compared once all are there; each request finds some more",
        "FOUND_MAX" => "the rest is not named; an exact identifier has one bearer, or a few",
        _ => return None,
    })
}

struct Limit {
    name: String,
    value: u128,
    about: String,
}

/// The constants of a file, with their comments.
fn limits(source: &str) -> Vec<Limit> {
    let mut found = Vec::new();
    let mut about: Vec<&str> = Vec::new();
    for line in source.lines() {
        if let Some(comment) = line.strip_prefix("/// ") {
            about.push(comment);
        } else if let Some(constant) = line.strip_prefix("pub const ") {
            let (name, rest) = constant.split_once(':').expect("a type");
            let (_, value) = rest.split_once(" = ").expect("a value");
            found.push(Limit {
                name: name.to_owned(),
                value: product(value.trim_end_matches(';')),
                about: about.join(" "),
            });
            about.clear();
        } else {
            about.clear();
        }
    }
    found
}

fn product(expression: &str) -> u128 {
    let factors = expression.split('*').map(|factor| factor.trim().replace('_', ""));
    factors
        .map(|factor| factor.parse::<u128>().expect("a product of numbers"))
        .product()
}

/// A value in the largest unit that makes it a whole number.
fn shown(name: &str, value: u128) -> String {
    let units: &[(u128, &str)] = if name.contains("_MS") {
        &[
            (86_400_000, "days"),
            (3_600_000, "h"),
            (60_000, "min"),
            (1_000, "s"),
            (1, "ms"),
        ]
    } else if name.contains("BYTES") {
        &[(1 << 20, "MiB"), (1 << 10, "KiB"), (1, "bytes")]
    } else if name.contains("CHARACTERS") {
        &[(1, "characters")]
    } else {
        &[(1, "")]
    };
    let (size, unit) = units
        .iter()
        .find(|(size, unit)| value.is_multiple_of(*size) && (*unit != "days" || value > *size))
        .expect("one always divides it");
    format!("{} {unit}", grouped(value / size)).trim().to_owned()
}

fn grouped(number: u128) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn page() -> String {
    let mut page = String::from(
        "# Limits\n\n\
         Generated from `core/src/limits.rs`: `VEREDA_WRITE_PAGES=1 cargo test -p vereda-tests --test pages`.\n\n\
         Nothing is cut off in silence: past a limit there is an error with a code ([errors](errors.md)), another\n\
         request, or a line in `status()`. What hostile bytes meet before the merge library is in\n\
         `core/src/document/gate/limits.rs`, what is normative between devices and servers in\n\
         [SPEC 13](../SPEC.md), requests per minute in [Running the server](../operations/server.md).\n\n\
         | what | limit | past it | name |\n|---|---|---|---|\n",
    );
    for limit in limits(&read("core/src/limits.rs")) {
        let name = &limit.name;
        let past = past_it(name).unwrap_or_else(|| panic!("{name}: say what happens past it"));
        let value = shown(name, limit.value);
        let about = limit.about.trim_end_matches('.');
        page += &format!("| {about} | {value} | {past} | `{name}` |\n");
    }
    page
}

#[test]
fn the_page_of_limits_lists_every_limit() {
    let made = page();
    if std::env::var_os("VEREDA_WRITE_PAGES").is_some() {
        std::fs::write(path("docs/guide/limits.md"), made).expect("the page can be written");
        return;
    }
    assert!(
        read("docs/guide/limits.md") == made,
        "docs/guide/limits.md is out of date: see its second paragraph"
    );
}
