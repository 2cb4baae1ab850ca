//! What people type, judged: not empty where it must not be, not too long, no U+0000.
//!
//! Other control characters are kept: tabs and line breaks are layout, and an imported report may hold the rest.
//! U+0000 is refused because it ends texts early in C and in SQL functions, so a part of a note would vanish.

use crate::error::{Code, SyncError};
use crate::limits::{LINE_CHARACTERS_MAX, REASON_CHARACTERS_MAX, TEXT_CHARACTERS_MAX};

/// A text of at most `limit` characters; `field` names it in the error.
pub(crate) fn check_length(text: &str, field: &str, limit: usize, too_long: Code) -> Result<(), SyncError> {
    // Bytes bound characters from above, so most texts are not counted.
    if text.len() > limit {
        let count = text.chars().count();
        if count > limit {
            let detail = format!("{field}: {count} characters, at most {limit}");
            return Err(SyncError::new(too_long, detail));
        }
    }
    if let Some(at) = text.bytes().position(|byte| byte == 0) {
        return Err(SyncError::new(
            Code::FieldInvalid,
            format!("{field}: the character U+0000 at byte {at}"),
        ));
    }
    Ok(())
}

/// An entry's text.
pub(super) fn check_text(text: &str, empty: Code) -> Result<(), SyncError> {
    if text.trim().is_empty() {
        return Err(empty.into());
    }
    check_length(text, "text", TEXT_CHARACTERS_MAX, Code::TextTooLong)
}

/// A reason a person gives.
pub(super) fn check_reason(reason: &str) -> Result<(), SyncError> {
    if reason.trim().is_empty() {
        return Err(Code::ReasonRequired.into());
    }
    check_length(reason, "reason", REASON_CHARACTERS_MAX, Code::TextTooLong)
}

/// A short value on one line, not empty.
pub(super) fn check_line(line: &str, field: &str) -> Result<(), SyncError> {
    if line.trim().is_empty() || line.chars().any(char::is_control) {
        let detail = format!("{field}: empty, or with control characters");
        return Err(SyncError::new(Code::FieldInvalid, detail));
    }
    check_length(line, field, LINE_CHARACTERS_MAX, Code::FieldInvalid)
}
