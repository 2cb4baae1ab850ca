//! Wrong use: what clap refuses, told like every other failure, with its code and without what was typed.

use crate::failure::{Failure, Usage};
use crate::words::Message;
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

/// The failure that tells it; none where help or the version was asked for.
pub(crate) fn failure(error: &Error) -> Option<Failure> {
    let argument = named(error, ContextKind::InvalidArg);
    let one_of = named(error, ContextKind::ValidValue);
    let usage = match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => return None,
        ErrorKind::MissingRequiredArgument => Usage::new(Message::ArgumentMissing, &[&argument]),
        ErrorKind::InvalidSubcommand | ErrorKind::MissingSubcommand => command_unknown(error),
        ErrorKind::UnknownArgument => argument_unknown(error),
        ErrorKind::ArgumentConflict => {
            let other = named(error, ContextKind::PriorArg);
            Usage::new(Message::ArgumentsConflict, &[&argument, &other])
        }
        _ if named(error, ContextKind::InvalidValue).is_empty() => {
            Usage::new(Message::ValueMissing, &[&argument])
        }
        _ if !one_of.is_empty() => Usage::new(Message::ValueOneOf, &[&argument, &one_of]),
        _ => Usage::new(Message::ValueNotUnderstood, &[&argument]).with_detail(why(error)),
    };
    let synopsis = match error.get(ContextKind::Usage) {
        Some(ContextValue::StyledStr(text)) => text.to_string(),
        _ => String::new(),
    };
    Some(Failure::Usage(usage.with_synopsis(synopsis)))
}

fn named(error: &Error, kind: ContextKind) -> String {
    match error.get(kind) {
        Some(ContextValue::String(name)) => name.clone(),
        Some(ContextValue::Strings(names)) => names.join(", "),
        _ => String::new(),
    }
}

fn command_unknown(error: &Error) -> Usage {
    match named(error, ContextKind::SuggestedSubcommand) {
        none if none.is_empty() => Usage::new(Message::CommandUnknown, &[]),
        suggested => Usage::new(Message::CommandSuggested, &[&suggested]),
    }
}

/// What was typed may be a name or a note, also where it begins like a flag: only a flag of ours is told back.
fn argument_unknown(error: &Error) -> Usage {
    match named(error, ContextKind::SuggestedArg) {
        none if none.is_empty() => Usage::new(Message::ArgumentUnknown, &[]),
        suggested => Usage::new(Message::ArgumentSuggested, &[&suggested]),
    }
}

/// What the value's parser says; ours never repeat the value.
fn why(error: &Error) -> String {
    match std::error::Error::source(error) {
        Some(source) if source.is::<uuid::Error>() => "a UUID is needed".to_owned(),
        Some(source) => source.to_string(),
        None => String::new(),
    }
}
