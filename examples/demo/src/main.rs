//! A clinic in a box: a real server, three real devices of two clinicians, and a network that fails.
//!
//! The first device imports a clinic's records; all synchronise; the network is cut; both clinicians write on the
//! same patients (one draft together, one allergy differently); the network comes back and loses answers; a patient is
//! referred to a second unit; the server's machine is lost and an older copy put back; and in the end all three devices
//! show the same, byte for byte, and nothing is gone. Exits with 1 where they do not.

mod comparison;
mod elsewhere;
mod failure;
mod network;
mod program;
mod stage;

use clap::Parser;
use comparison::{chart, conflicts, patients, timeline, waiting};
use failure::{Failure, Result};
use network::Network;
use program::{Device, Program};
use serde::Serialize;
use serde_json::Value;
use stage::{Stage, table};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

#[derive(Parser)]
#[command(name = "cargo xtask demo", about = "A clinic in a box")]
struct Arguments {
    /// FHIR R4 files or folders instead of generated records.
    #[arg(long, value_name = "PATH")]
    fhir: Vec<PathBuf>,
    /// How many patients are generated.
    #[arg(long, default_value_t = 12)]
    patients: u32,
    /// The generator's seed.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// The last line is one JSON object.
    #[arg(long)]
    json: bool,
    /// Without a progress bar.
    #[arg(long)]
    headless: bool,
}

/// What it came to.
#[derive(Serialize)]
struct Totals {
    patients: usize,
    entries: usize,
    bytes_up_per_entry: f64,
    bytes_down_per_entry: f64,
    seconds: f64,
    conflicts_shown: usize,
    answers_lost: u32,
    referred: bool,
    given_back: usize,
    converged: bool,
}

const SCENES: u64 = 9;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let stage = Stage::new(SCENES, arguments.headless);
    let played = play(&arguments, &stage);
    stage.close();
    match played {
        Ok(totals) => {
            show(&totals);
            if arguments.json {
                println!("{}", serde_json::to_string(&totals).unwrap_or_default());
            }
            if totals.converged {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long it took is for the audience; nothing is decided by it"
)]
fn play(arguments: &Arguments, stage: &Stage) -> Result<Totals> {
    let started = Instant::now();
    let folder = tempfile::tempdir()?;
    let program = Program::beside_this(folder.path())?;

    stage.scene("A server, a unit, two clinicians, three devices");
    let _: Value = program.admin(&["tenant", "Vereda"])?;
    let _: Value = program.admin(&["unit", "Unidade Fluvial"])?;
    for name in ["Ana", "Bruno"] {
        let _: Value = program.admin(&["user", name, "--unit", "Unidade Fluvial"])?;
    }
    let server = program.serve()?;
    let network = Network::to(server.address)?;
    let tablet = program.device("ana-tablet");
    let phone = program.device("ana-phone");
    let bruno = program.device("bruno-tablet");
    for (device, user) in [(&tablet, "Ana"), (&phone, "Ana"), (&bruno, "Bruno")] {
        elsewhere::enrol(&program, &network, device, user)?;
    }
    let devices = [&tablet, &phone, &bruno];

    stage.scene("Importing a clinic's records on Ana's tablet");
    import(arguments, &tablet, folder.path(), stage)?;

    stage.scene("Sending them, and reading them on the other devices");
    let (up_before, _) = network.bytes();
    synchronise(&tablet)?;
    let (up, down_before) = network.bytes();
    synchronise(&bruno)?;
    let (_, down) = network.bytes();
    synchronise(&phone)?;
    let everybody = patients(&tablet)?;
    let imported = count(&tablet, &everybody)?;
    let per_entry = |bytes: u64| bytes as f64 / imported.max(1) as f64;
    let (bytes_up_per_entry, bytes_down_per_entry) =
        (per_entry(up - up_before), per_entry(down - down_before));

    stage.scene("The network is cut; both write on the same patients");
    let shared = Shared::open(&everybody, [&tablet, &bruno, &phone])?;
    network.cut(true);
    shared.write(&everybody, &tablet, &bruno)?;
    let refused = tablet.run(&["sync"])?.expect(&[4])?;
    stage.tell(&format!(
        "  Ana's tablet: {} writes wait, `sync` ends with {} (no contact)",
        waiting(&tablet)?,
        refused.status
    ));

    stage.scene("The network comes back, and loses answers");
    network.cut(false);
    network.lose_answers(3);
    for device in [&tablet, &bruno, &phone, &tablet, &bruno] {
        synchronise(device)?;
    }
    stage.tell(&format!(
        "  answers lost after the server had done its part: {}",
        network.answers_lost()
    ));

    stage.scene("A patient is referred to a second unit");
    let carla = elsewhere::open(&program, &network)?;
    // By the next contact a device knows the organisation's units.
    synchronise(&tablet)?;
    let copy = program.back_up()?;
    elsewhere::refer(&tablet, &shared.patient)?;
    for device in [&tablet, &carla] {
        synchronise(device)?;
    }
    note(&carla, &shared.patient, "Consulta na Terra Firme")?;
    for device in [&carla, &tablet, &bruno, &phone] {
        synchronise(device)?;
    }
    let referred = elsewhere::has_only(&carla, &shared.patient, &tablet)?;
    stage.tell(&format!(
        "  Carla has this patient, whole, and nobody else: {referred}"
    ));

    stage.scene("The server's machine is lost, and an older copy put back");
    let before = count(&tablet, &everybody)?;
    let address = server.address;
    drop(server);
    program.restore(&copy)?;
    let _server = program.serve_at(address)?;
    for device in [&tablet, &carla, &bruno, &phone, &tablet, &carla, &bruno] {
        synchronise(device)?;
    }
    let newcomer = program.device("ana-new-phone");
    elsewhere::enrol(&program, &network, &newcomer, "Ana")?;
    synchronise(&newcomer)?;
    let given_back = count(&newcomer, &everybody)?;
    let referred = referred && elsewhere::has_only(&carla, &shared.patient, &tablet)?;
    stage.tell(&format!(
        "  a new device reads {given_back} entries of the {before} there were before"
    ));

    stage.scene("Comparing every patient on all three devices");
    let (converged, entries) = compare(&devices, stage)?;
    let both_wrote = shared.holds_both(&phone)?;
    stage.tell(&format!("  the draft holds what both wrote: {both_wrote}"));
    stage.scene("Done");
    Ok(Totals {
        patients: everybody.len(),
        entries,
        bytes_up_per_entry,
        bytes_down_per_entry,
        seconds: started.elapsed().as_secs_f64(),
        conflicts_shown: conflicts(&phone)?,
        answers_lost: network.answers_lost(),
        referred,
        given_back,
        converged: converged && both_wrote && referred && given_back == before,
    })
}

fn import(arguments: &Arguments, device: &Device<'_>, folder: &Path, stage: &Stage) -> Result<()> {
    let mut paths: Vec<String> = arguments
        .fhir
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    if paths.is_empty() {
        let records = folder.join("records");
        std::fs::create_dir(&records)?;
        let bundles = vereda_data::fhir_bundles(arguments.seed, arguments.patients);
        for (number, bundle) in bundles.enumerate() {
            std::fs::write(records.join(format!("{number:05}.json")), bundle)?;
        }
        paths.push(records.display().to_string());
    }
    let mut command = vec!["import", "fhir"];
    command.extend(paths.iter().map(String::as_str));
    // Broken resources are listed, and the rest is in.
    let report: Value = device.run(&command)?.expect(&[0, 1])?.document()?;
    let problems = report["problems"].as_array().map_or(0, Vec::len);
    stage.tell(&format!(
        "  {} resources, {} entries, {problems} problems",
        report["resources"], report["entries"]["added"]
    ));
    Ok(())
}

/// Synchronises until it is done; a lost answer is asked for again.
fn synchronise(device: &Device<'_>) -> Result<()> {
    const ATTEMPTS_MAX: usize = 10;
    for _ in 1..ATTEMPTS_MAX {
        if device.run(&["sync"])?.expect(&[0, 1, 4])?.status == 0 {
            return Ok(());
        }
    }
    device.run(&["sync"])?.expect(&[0]).map(drop)
}

fn note(device: &Device<'_>, patient: &str, text: &str) -> Result<()> {
    let add = ["event", "add", "--patient", patient, "--text", text];
    device.ask(&add).map(|_: Value| ())
}

fn count(device: &Device<'_>, patients: &[String]) -> Result<usize> {
    patients
        .iter()
        .map(|patient| Ok(timeline(device, patient)?.1))
        .sum()
}

/// What both clinicians work on: a draft and an allergy that all devices have.
struct Shared {
    patient: String,
    draft: String,
    allergy: String,
}

const ANAS_WORDS: &str = "Visita domiciliar. Sem febre; orientada hidratação (Ana).";
const BRUNOS_WORDS: &str = "Pressão conferida por Bruno. ";
const FIRST_WORDS: &str = "Visita domiciliar.";

impl Shared {
    fn open(everybody: &[String], devices: [&Device<'_>; 3]) -> Result<Self> {
        let patient = everybody
            .first()
            .ok_or(Failure::Output("patient list".into()))?
            .clone();
        let [first, ..] = devices;
        let draft: Value = first.ask(&[
            "event",
            "add",
            "--patient",
            &patient,
            "--draft",
            "--text",
            FIRST_WORDS,
        ])?;
        let allergy: Value = first.ask(&[
            "chart",
            "set",
            "--patient",
            &patient,
            "--kind",
            "allergy",
            "--field",
            "display=Dipirona",
            "--field",
            "severity=unknown",
        ])?;
        for device in devices {
            synchronise(device)?;
        }
        let id = |saved: &Value, field: &str| saved[field].as_str().unwrap_or_default().to_owned();
        Ok(Self {
            patient,
            draft: id(&draft, "entry"),
            allergy: id(&allergy, "chart_item"),
        })
    }

    /// Both write, out of each other's sight.
    fn write(&self, everybody: &[String], ana: &Device<'_>, bruno: &Device<'_>) -> Result<()> {
        let brunos = format!("{BRUNOS_WORDS}{FIRST_WORDS}");
        for (device, text, severity) in [(ana, ANAS_WORDS, "severe"), (bruno, brunos.as_str(), "mild")] {
            let _: Value = device.ask(&["event", "edit", &self.draft, "--text", text])?;
            let severity = format!("severity={severity}");
            let _: Value = device.ask(&[
                "chart",
                "set",
                "--patient",
                &self.patient,
                "--kind",
                "allergy",
                "--item",
                &self.allergy,
                "--field",
                &severity,
            ])?;
            for patient in everybody.iter().take(5) {
                note(device, patient, &format!("Anotação sem rede, {}", device.name))?;
            }
        }
        Ok(())
    }

    /// Whether the draft has both hands in it.
    fn holds_both(&self, device: &Device<'_>) -> Result<bool> {
        let detail: Value = device.ask(&["event", "show", &self.draft, "--patient", &self.patient])?;
        let text = detail["entry"]["text"].as_str().unwrap_or_default();
        Ok(text.contains(BRUNOS_WORDS.trim()) && text.contains("(Ana)"))
    }
}

/// Whether all devices show the same, and how many entries there are.
fn compare(devices: &[&Device<'_>; 3], stage: &Stage) -> Result<(bool, usize)> {
    let everybody = patients(devices[0])?;
    let (mut equal, mut entries) = (true, 0);
    for device in devices {
        equal &= patients(device)? == everybody && waiting(device)? == 0;
    }
    let mut rows = vec![
        ["Patient", "Entries", "Same on all three"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for patient in &everybody {
        let (text, count) = timeline(devices[0], patient)?;
        let items = chart(devices[0], patient)?;
        let mut same = true;
        for device in &devices[1..] {
            same &= timeline(device, patient)?.0 == text && chart(device, patient)? == items;
        }
        let word = if same { "yes" } else { "NO" };
        rows.push(vec![patient.clone(), count.to_string(), word.to_owned()]);
        equal &= same;
        entries += count;
    }
    stage.tell(&table(&rows));
    Ok((equal, entries))
}

fn show(totals: &Totals) {
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    println!(
        "\n{}",
        table(&[
            row("patients", totals.patients.to_string()),
            row("entries", totals.entries.to_string()),
            row("bytes up per entry", format!("{:.1}", totals.bytes_up_per_entry)),
            row(
                "bytes down per entry",
                format!("{:.1}", totals.bytes_down_per_entry)
            ),
            row("conflicts shown", totals.conflicts_shown.to_string()),
            row("answers lost", totals.answers_lost.to_string()),
            row("referred", totals.referred.to_string()),
            row("entries at a restored server", totals.given_back.to_string()),
            row("seconds", format!("{:.1}", totals.seconds)),
            row("converged", totals.converged.to_string()),
        ])
    );
}
