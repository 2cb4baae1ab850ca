//! A second unit: a patient is referred to it, and both units go on.

use crate::comparison::{patients, timeline};
use crate::failure::Result;
use crate::network::Network;
use crate::program::{Device, Program};
use serde_json::Value;

const UNIT: &str = "Terra Firme";

/// The second unit's clinician, enrolled on a device.
pub(crate) fn open<'a>(program: &'a Program, network: &Network) -> Result<Device<'a>> {
    let _: Value = program.admin(&["unit", UNIT])?;
    let _: Value = program.admin(&["user", "Carla", "--unit", UNIT])?;
    let carla = program.device("carla-tablet");
    enrol(program, network, &carla, "Carla")?;
    Ok(carla)
}

/// Enrols a device of a user.
pub(crate) fn enrol(program: &Program, network: &Network, device: &Device<'_>, user: &str) -> Result<()> {
    let code: Value = program.admin(&["enrol-code", "--user", user])?;
    let code = code["code"].as_str().unwrap_or_default();
    let (url, label) = (network.url(), device.name);
    let enrol = ["enrol", "--server", &url, "--code", code, "--label", label];
    device.ask(&enrol).map(|_: Value| ())
}

/// Refers a patient to the second unit.
pub(crate) fn refer(device: &Device<'_>, patient: &str) -> Result<()> {
    let refer = [
        "patient",
        "share",
        patient,
        "--to",
        UNIT,
        "--reason",
        "Encaminhamento ao cardiologista",
    ];
    device.ask(&refer).map(|_: Value| ())
}

/// Whether the second unit has this patient, whole, and nobody else.
pub(crate) fn has_only(device: &Device<'_>, patient: &str, home: &Device<'_>) -> Result<bool> {
    Ok(patients(device)? == [patient] && timeline(device, patient)?.0 == timeline(home, patient)?.0)
}
