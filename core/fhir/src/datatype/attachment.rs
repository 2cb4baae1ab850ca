//! Attachment: text that came with a report or document.

use crate::element::{Element, Fields};
use crate::fault::Fault;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The attachment's text, where it carries some as base64 (`text/plain`, `text/markdown` …). Marked-up and binary
/// media stay outside the timeline.
pub(crate) fn attached_text(attachment: &Element) -> Result<Option<String>, Fault> {
    let media = attachment.text("contentType")?.unwrap_or_default();
    let readable =
        media.starts_with("text/") && !media.starts_with("text/html") && !media.starts_with("text/rtf");
    let Some(data) = attachment.text("data")?.filter(|_| readable) else {
        return Ok(None);
    };
    let compact: String = data.split_ascii_whitespace().collect();
    let bytes = STANDARD
        .decode(compact)
        .map_err(|_| Fault::wrong("data", "base64"))?;
    let text = String::from_utf8(bytes).map_err(|_| Fault::wrong("data", "UTF-8 text"))?;
    let text = text.trim().to_owned();
    Ok((!text.is_empty()).then_some(text))
}

/// The attachment's title, else its media type.
pub(crate) fn attached_title(attachment: &Element) -> Result<Option<&str>, Fault> {
    Ok(attachment.text("title")?.or(attachment.text("contentType")?))
}
