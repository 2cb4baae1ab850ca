//! Running the real program: `vereda`, beside this one.

use crate::failure::{Failure, Result};
use serde::de::DeserializeOwned;
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The program, and the folder all its files lie in.
pub(crate) struct Program {
    path: PathBuf,
    folder: PathBuf,
}

/// How one run ended.
pub(crate) struct Ended {
    /// The exit status.
    pub(crate) status: i32,
    stdout: Vec<u8>,
    command: String,
    stderr: String,
}

impl Ended {
    /// The JSON document it printed.
    pub(crate) fn document<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.stdout).map_err(|_| Failure::Output(self.command.clone()))
    }

    /// The run, if it ended in one of these ways.
    pub(crate) fn expect(self, statuses: &[i32]) -> Result<Self> {
        if statuses.contains(&self.status) {
            return Ok(self);
        }
        Err(Failure::Command {
            command: self.command,
            status: self.status,
            said: self.stderr.trim().to_owned(),
        })
    }
}

impl Program {
    /// The program beside this one, working in a folder.
    pub(crate) fn beside_this(folder: &Path) -> Result<Self> {
        let name = format!("vereda{}", std::env::consts::EXE_SUFFIX);
        Ok(Self {
            path: std::env::current_exe()?.with_file_name(name),
            folder: folder.to_owned(),
        })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.path);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .env_remove("VEREDA_KEY")
            .env_remove("VEREDA_HOME")
            .env("XDG_CONFIG_HOME", self.folder.join("keys"));
        command
    }

    fn store(&self) -> String {
        format!("sqlite:{}", self.folder.join("server/server.db").display())
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<Ended> {
        let output = self.command(arguments).output()?;
        let words = arguments.iter().filter(|word| !word.starts_with('-'));
        Ok(Ended {
            status: output.status.code().unwrap_or(-1),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            command: words.take(2).copied().collect::<Vec<_>>().join(" "),
        })
    }

    /// Administers the server's store.
    pub(crate) fn admin<T: DeserializeOwned>(&self, arguments: &[&str]) -> Result<T> {
        let store = self.store();
        let all = [&["admin"], arguments, &["--store", &store, "--json"]].concat();
        self.run(&all)?.expect(&[0])?.document()
    }

    /// Copies the server's store while it runs, and says where the copy lies.
    pub(crate) fn back_up(&self) -> Result<String> {
        let folder = self.folder.join("copies").display().to_string();
        let copied: serde_json::Value = self.admin(&["backup", "--to", &folder])?;
        let copy = copied["copy"].as_str();
        copy.map(str::to_owned)
            .ok_or(Failure::Output("backup".to_owned()))
    }

    /// Puts a copy in the place of the store.
    pub(crate) fn restore(&self, copy: &str) -> Result<()> {
        let store = self.store();
        let restore = [
            "admin",
            "restore",
            "--from",
            copy,
            "--to",
            &store,
            "--replace",
            "--json",
        ];
        self.run(&restore)?.expect(&[0]).map(drop)
    }

    /// Starts the server on a free port.
    pub(crate) fn serve(&self) -> Result<RunningServer> {
        self.serve_at(([127, 0, 0, 1], 0).into())
    }

    /// Starts the server at an address.
    pub(crate) fn serve_at(&self, address: SocketAddr) -> Result<RunningServer> {
        let store = self.store();
        let mut command = self.command(&["serve", "--store", &store, "--listen", &address.to_string()]);
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        // Held from here on, so that it ends whatever it printed.
        let mut running = RunningServer {
            process: child,
            address: ([127, 0, 0, 1], 0).into(),
        };
        let unexpected = || Failure::Output("serve".to_owned());
        let document: serde_json::Value = serde_json::from_str(&line).map_err(|_| unexpected())?;
        let url = document["listening"].as_str().unwrap_or_default();
        let address = url.strip_prefix("http://").unwrap_or_default();
        running.address = address.parse().map_err(|_| unexpected())?;
        Ok(running)
    }

    /// A device in a folder of its own.
    pub(crate) fn device<'a>(&'a self, name: &'static str) -> Device<'a> {
        Device {
            program: self,
            name,
            home: self.folder.join(name).into_os_string(),
        }
    }
}

/// The server's process; it ends with this value.
pub(crate) struct RunningServer {
    process: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A device: a folder, worked on by the program.
pub(crate) struct Device<'a> {
    program: &'a Program,
    /// What it is called in what is shown.
    pub(crate) name: &'static str,
    home: OsString,
}

impl Device<'_> {
    /// Runs a command on it.
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<Ended> {
        let home = self.home.to_string_lossy();
        let all = [&["--home", &home, "--json"], arguments].concat();
        self.program.run(&all)
    }

    /// Runs a command on it that must succeed, and reads its document.
    pub(crate) fn ask<T: DeserializeOwned>(&self, arguments: &[&str]) -> Result<T> {
        self.run(arguments)?.expect(&[0])?.document()
    }
}
