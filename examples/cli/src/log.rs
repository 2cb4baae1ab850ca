//! Logs, on stderr: numbers, codes and correlation ids, never patient data. The server's and the device's lines name
//! a request by the same id.

use crate::failure::{Failure, Result, Usage};
use crate::words::Message;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use vereda_core::engine::LogEvent;
use vereda_core::platform::native::LogSink;

/// How lines look.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(crate) enum Format {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// Begins to log. `filter` is a level, or `TARGET=LEVEL`, several of them with commas between.
pub(crate) fn begin(filter: &str, format: Format) -> Result<()> {
    // A word that is no level would be taken for a target, and nothing be told.
    let understood = filter
        .split(',')
        .all(|part| part.contains('=') || part.trim().parse::<LevelFilter>().is_ok());
    let filter = understood
        .then(|| EnvFilter::try_new(filter).ok())
        .flatten()
        .ok_or_else(|| Failure::Usage(Usage::new(Message::LogNotUnderstood, &[])))?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // Nobody may be reading; the work goes on.
        .log_internal_errors(false);
    match format {
        Format::Json => lines.json().flatten_event(true).with_span_list(false).init(),
        Format::Text => lines.init(),
    }
    Ok(())
}

/// What a device logs, as lines.
pub(crate) struct DeviceLog;

impl LogSink for DeviceLog {
    fn log(&mut self, event: LogEvent) {
        match event {
            LogEvent::Asked {
                correlation,
                writes,
                bytes,
            } => tracing::debug!(%correlation, writes, bytes, "asked"),
            LogEvent::Answered {
                correlation,
                items,
                bytes,
            } => tracing::debug!(%correlation, items, bytes, "answered"),
            // To be without a network is nothing remarkable here.
            LogEvent::RequestFailed {
                correlation,
                code,
                failures,
            } => tracing::info!(%correlation, code, failures, "request failed"),
            LogEvent::Failed(code) => tracing::warn!(code = code.as_str(), "failed"),
            LogEvent::DocumentSetAside(document) => {
                tracing::warn!(%document, "a damaged document was set aside");
            }
            LogEvent::Differs { found, standing } => {
                tracing::warn!(found, standing, "what is here is not what the server has");
            }
            LogEvent::Forked => tracing::warn!("this file is a copy: it goes on under another name"),
            other => tracing::debug!(event = ?other, "noted"),
        }
    }
}
