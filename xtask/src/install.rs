//! Finding what the tests need on this machine, and installing what is missing.
//!
//! On Debian and its kin, as root, missing packages are installed; anybody else is told the exact command.

use std::process::Command;

use crate::failure::Failure;
use crate::process;

/// A program from outside the workspace, and the Debian packages that bring it.
pub(crate) struct Tool {
    /// Its name on the search path, or the absolute path of a file where a name would not do.
    program: &'static str,
    packages: &'static [&'static str],
}

const PERL: Tool = Tool {
    program: "perl",
    packages: &["perl"],
};
const MAKE: Tool = Tool {
    program: "make",
    packages: &["make"],
};
const C_COMPILER: Tool = Tool {
    program: "cc",
    packages: &["gcc", "libc6-dev"],
};
const STRACE: Tool = Tool {
    program: "strace",
    packages: &["strace"],
};
const SQLITE: Tool = Tool {
    program: "sqlite3",
    packages: &["sqlite3"],
};
const SQLCIPHER: Tool = Tool {
    program: "sqlcipher",
    packages: &["sqlcipher"],
};

/// SQLCipher and OpenSSL are built from source with these.
pub(crate) const FOR_BUILDING: &[Tool] = &[PERL, MAKE, C_COMPILER];

/// SQLCipher and OpenSSL are built from source with the first three; tests count the system calls of a write,
/// and read the store with programs that are not ours, with the rest.
pub(crate) const FOR_TESTS: &[Tool] = &[PERL, MAKE, C_COMPILER, STRACE, SQLITE, SQLCIPHER];

/// Compiles SQLCipher's C for the browser.
pub(crate) const FOR_WASM: &[Tool] = &[Tool {
    program: "clang",
    packages: &["clang"],
}];

/// Debian's own compiler with the standard library's sources, for machines where rustup can fetch no target.
pub(crate) const FOR_WASM_BY_DEBIAN: &[Tool] = &[
    Tool {
        program: "/usr/bin/rustc",
        packages: &["rustc-web"],
    },
    Tool {
        program: "/usr/bin/cargo",
        packages: &["cargo-web"],
    },
    Tool {
        program: "/usr/lib/rustlib/src/rust/library/std/Cargo.toml",
        packages: &["rust-web-src"],
    },
];

/// Sees to it that every tool is there: installs the missing ones where it may, else says how to.
pub(crate) fn ensure(tools: &[Tool]) -> Result<(), Failure> {
    let missing = missing(tools);
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().flat_map(|tool| tool.packages).copied().collect();
    if !may_install() {
        return Err(still_missing(&missing, &packages));
    }
    // The package lists of a fresh machine are empty or old: only then is the download worth its time.
    if apt_get(&install_arguments(&packages)).is_err() {
        apt_get(&["update"])?;
        apt_get(&install_arguments(&packages))?;
    }
    let missing = self::missing(tools);
    if missing.is_empty() {
        Ok(())
    } else {
        Err(still_missing(&missing, &packages))
    }
}

fn missing(tools: &[Tool]) -> Vec<&Tool> {
    tools
        .iter()
        .filter(|tool| !process::is_present(tool.program))
        .collect()
}

fn may_install() -> bool {
    let user_id = process::answer(Command::new("id").arg("-u"));
    user_id.as_deref() == Some("0") && process::is_present("apt-get")
}

fn install_arguments<'a>(packages: &[&'a str]) -> Vec<&'a str> {
    ["install", "-y"].iter().chain(packages).copied().collect()
}

fn apt_get(arguments: &[&str]) -> Result<(), Failure> {
    let mut command = Command::new("apt-get");
    // Another installation may be running, on a machine that has just started for instance.
    command.args(["-o", "DPkg::Lock::Timeout=300"]).args(arguments);
    process::run(command.env("DEBIAN_FRONTEND", "noninteractive"))
}

fn still_missing(tools: &[&Tool], packages: &[&str]) -> Failure {
    let names: Vec<&str> = tools.iter().map(|tool| tool.program).collect();
    Failure::Missing {
        what: names.join(", "),
        how: format!("sudo apt-get install -y {}", packages.join(" ")),
    }
}
