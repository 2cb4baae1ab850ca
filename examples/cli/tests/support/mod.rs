//! A clinic of real processes: the program as a server, and as devices in folders of their own.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

/// A server that is killed when the test ends.
pub struct Server {
    process: Child,
    log: PathBuf,
    /// Where it listens.
    pub url: String,
}

impl Server {
    /// What it told on stderr: a JSON document on each line.
    pub fn log(&self) -> Vec<Value> {
        let log = std::fs::read_to_string(&self.log).expect("a log");
        log.lines()
            .map(|line| serde_json::from_str(line).expect("a line of the log is JSON"))
            .collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A clinic in a folder that goes with it.
pub struct Clinic {
    folder: TempDir,
}

impl Clinic {
    /// A tenant with a unit and two users, Ana and Bruno.
    pub fn new() -> Self {
        let clinic = Self {
            folder: tempfile::tempdir().expect("a folder"),
        };
        clinic.admin(&["tenant", "Vereda"]);
        clinic.admin(&["unit", "Fluvial"]);
        clinic.admin(&["user", "Ana", "--unit", "Fluvial"]);
        clinic.admin(&["user", "Bruno", "--unit", "Fluvial"]);
        clinic
    }

    /// The folder everything lies in.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The program, with its surroundings.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vereda"));
        command
            .args(arguments)
            .stdin(Stdio::null())
            .env_remove("VEREDA_KEY")
            .env_remove("VEREDA_HOME")
            .env_remove("VEREDA_LOG")
            .env("LANG", "C")
            .env("XDG_CONFIG_HOME", self.keys());
        command
    }

    /// Where the keys lie.
    pub fn keys(&self) -> PathBuf {
        self.path().join("keys")
    }

    /// The store of the server, as the program is told.
    pub fn store(&self) -> String {
        format!("sqlite:{}", self.path().join("server/server.db").display())
    }

    /// Administers.
    pub fn admin(&self, arguments: &[&str]) -> Value {
        let store = self.store();
        let all = [&["admin"], arguments, &["--store", &store, "--json"]].concat();
        document(&self.command(&all).output().expect("it runs"))
    }

    /// Starts the server.
    pub fn serve(&self) -> Server {
        self.serve_with(&["--listen", "127.0.0.1:0"])
    }

    /// Starts the server with further arguments.
    pub fn serve_with(&self, arguments: &[&str]) -> Server {
        let mut command = self.command(&[&["serve", "--store", &self.store()], arguments].concat());
        let log = self.path().join("server.log");
        let told = std::fs::File::options()
            .create(true)
            .append(true)
            .open(&log)
            .expect("a log");
        command.stdout(Stdio::piped()).stderr(told);
        let mut process = command.spawn().expect("it starts");
        let mut line = String::new();
        let output = process.stdout.take().expect("it is piped");
        BufReader::new(output).read_line(&mut line).expect("a line");
        let said: Value = serde_json::from_str(&line).expect("the first line is JSON");
        Server {
            process,
            log,
            url: said["listening"].as_str().expect("an address").to_owned(),
        }
    }

    /// A device that is not enrolled yet.
    pub fn device(&self, name: &str) -> Device<'_> {
        Device {
            clinic: self,
            home: self.path().join(name),
        }
    }

    /// A device of a user, enrolled.
    pub fn enrolled(&self, server: &Server, name: &str, user: &str) -> Device<'_> {
        self.enrolled_with(&server.url, name, user, &[])
    }

    /// The same, at an address, with further arguments for the code.
    pub fn enrolled_with(&self, url: &str, name: &str, user: &str, arguments: &[&str]) -> Device<'_> {
        let device = self.device(name);
        let code = self.code(user, arguments);
        device.ask(&["enrol", "--server", url, "--code", &code]);
        device
    }

    /// An enrolment code.
    pub fn code(&self, user: &str, arguments: &[&str]) -> String {
        let code = self.admin(&[&["enrol-code", "--user", user], arguments].concat());
        code["code"].as_str().expect("a code").to_owned()
    }
}

/// A device.
pub struct Device<'a> {
    clinic: &'a Clinic,
    /// Its folder.
    pub home: PathBuf,
}

impl Device<'_> {
    /// The program on this device.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let home = self.home.display().to_string();
        self.clinic
            .command(&[&["--home", &home, "--json"], arguments].concat())
    }

    /// Runs a command.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("it runs")
    }

    /// Runs a command that must succeed, and reads its document.
    pub fn ask(&self, arguments: &[&str]) -> Value {
        document(&self.run(arguments))
    }

    /// Runs a command that must fail: the exit status and the error's code.
    pub fn refused(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.run(arguments);
        let said: Value = serde_json::from_slice(&output.stderr).unwrap_or_default();
        let code = said["error"]["code"].as_str().unwrap_or_default().to_owned();
        (output.status.code().expect("it exits"), code)
    }

    /// Registers a patient.
    pub fn patient(&self, name: &str) -> String {
        let registered = self.ask(&["patient", "add", "--name", name]);
        registered["id"].as_str().expect("an id").to_owned()
    }

    /// All entries of a patient, page after page.
    pub fn entries(&self, patient: &str) -> Vec<Value> {
        let (mut entries, mut after) = (Vec::new(), String::new());
        loop {
            let mut arguments = vec!["timeline", "--patient", patient, "--limit", "500"];
            if !after.is_empty() {
                arguments.extend(["--after", &after]);
            }
            let page = self.ask(&arguments);
            entries.extend(page["entries"].as_array().expect("entries").iter().cloned());
            match page["next"].as_str() {
                Some(next) => after = next.to_owned(),
                None => return entries,
            }
        }
    }
}

/// The document a successful run printed.
pub fn document(output: &Output) -> Value {
    assert!(
        output.status.success(),
        "{:?}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("one JSON document on stdout")
}

fn schemas() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli")
}

/// The document, once it is seen to fit its schema.
pub fn fits(name: &str, document: Value) -> Value {
    let schema = std::fs::read(schemas().join(format!("{name}.schema.json"))).expect("a schema");
    let schema: Value = serde_json::from_slice(&schema).expect("a schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema is valid");
    let faults: Vec<String> = validator
        .iter_errors(&document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(faults.is_empty(), "{name}: {faults:#?}");
    assert!(
        !holds_bytes_as_numbers(&document),
        "{name}: bytes are hexadecimal text"
    );
    document
}

fn holds_bytes_as_numbers(document: &Value) -> bool {
    match document {
        Value::Array(items) => {
            items.len() >= 8
                && items
                    .iter()
                    .all(|item| item.as_u64().is_some_and(|byte| byte < 256))
                || items.iter().any(holds_bytes_as_numbers)
        }
        Value::Object(fields) => fields.values().any(holds_bytes_as_numbers),
        _ => false,
    }
}

/// What a command prints, once it is seen to fit its schema.
pub fn asked(device: &Device<'_>, name: &str, arguments: &[&str]) -> Value {
    fits(name, device.ask(arguments))
}
