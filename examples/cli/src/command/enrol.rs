//! `enrol`, `signout`.

use crate::failure::{Ending, Result};
use crate::output::Output;
use crate::words::Message;
use vereda_core::client::{Client, Identity};

/// Enrols this device.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The server: https://…, or http:// on this very machine.
    #[arg(long, value_name = "URL")]
    server: String,
    /// The code from an administrator.
    #[arg(long)]
    code: String,
    /// What the administrator sees in the list of devices.
    #[arg(long, default_value = "vereda")]
    label: String,
}

pub(crate) async fn run(arguments: Arguments, client: &Client, output: &Output) -> Result {
    client
        .enrol(&arguments.server, &arguments.code, &arguments.label)
        .await?;
    let identity = client.identity().await?;
    output.show(&identity, |words| {
        words.with(Message::Enrolled, &[&name(&identity)])
    });
    Ok(Ending::Done)
}

fn name(identity: &Identity) -> String {
    super::author(Some(identity), identity.user)
}

#[derive(serde::Serialize)]
struct SignedOut {
    signed_in: bool,
}

pub(crate) async fn sign_out(client: &Client, output: &Output) -> Result {
    client.sign_out().await?;
    output.show(&SignedOut { signed_in: false }, |words| {
        words.of(Message::SignedOut).to_owned()
    });
    Ok(Ending::Done)
}
