//! `cargo xtask licences`: what the project depends on is allowed by deny.toml.
//!
//! Where the program cargo-deny is installed, it decides. Building it takes minutes of every fresh machine, so
//! elsewhere the three checks that need no network are done here, by the same file: licences, banned crates,
//! sources.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use crate::failure::Failure;
use crate::{process, workspace};

#[derive(Deserialize)]
struct Policy {
    graph: Graph,
    licenses: Licenses,
    bans: Bans,
}

#[derive(Deserialize)]
struct Graph {
    targets: Vec<String>,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
}

/// One crate of the dependency graph, as `cargo metadata` tells it.
#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    /// An SPDX expression.
    license: Option<String>,
    /// Absent for a crate of the workspace.
    source: Option<String>,
}

/// Checks every dependency against deny.toml.
pub(crate) fn run() -> Result<(), Failure> {
    if process::is_present("cargo-deny") {
        let mut deny = process::cargo();
        deny.current_dir(workspace::root())
            .args(["deny", "check", "licenses", "bans", "sources"]);
        return process::run(&mut deny);
    }
    let policy = policy()?;
    let packages = packages(&policy.graph.targets)?;
    let places = refused(&policy, &packages);
    if !places.is_empty() {
        return Err(Failure::Broken {
            rule: "dependencies that deny.toml does not allow",
            places,
        });
    }
    println!(
        "{} crates: licences, bans and sources are as deny.toml allows",
        packages.len()
    );
    Ok(())
}

fn policy() -> Result<Policy, Failure> {
    let path = workspace::root().join("deny.toml");
    let unreadable = |reason: String| Failure::Unreadable {
        path: path.display().to_string(),
        reason,
    };
    let text = std::fs::read_to_string(&path).map_err(|error| unreadable(error.to_string()))?;
    toml::from_str(&text).map_err(|error| unreadable(error.to_string()))
}

fn packages(targets: &[String]) -> Result<Vec<Package>, Failure> {
    let mut arguments = vec!["--all-features"];
    arguments.extend(targets.iter().flat_map(|target| ["--filter-platform", target]));
    let mut described = workspace::metadata(&arguments)?;
    // `packages` also lists what no chosen platform uses; `resolve` does not.
    let used: BTreeSet<String> = described["resolve"]["nodes"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|node| node["id"].as_str().map(str::to_owned))
        .collect();
    let Value::Array(listed) = described["packages"].take() else {
        return Ok(Vec::new());
    };
    listed
        .into_iter()
        .filter(|package| package["id"].as_str().is_some_and(|id| used.contains(id)))
        .map(|package| {
            serde_json::from_value(package).map_err(|error| Failure::Unreadable {
                path: "cargo metadata".to_owned(),
                reason: error.to_string(),
            })
        })
        .collect()
}

/// Every crate that breaks the policy, with the reason.
fn refused(policy: &Policy, packages: &[Package]) -> Vec<String> {
    let mut places = Vec::new();
    for package in packages {
        let mut refuse =
            |reason: String| places.push(format!("{} {}: {reason}", package.name, package.version));
        if let Some(ban) = policy.bans.deny.iter().find(|ban| ban.name == package.name) {
            refuse(format!("banned, {}", ban.reason));
        }
        if package
            .source
            .as_deref()
            .is_some_and(|source| !source.starts_with("registry+"))
        {
            refuse("comes from outside the registry".to_owned());
        }
        if let Err(reason) = allowed(package.license.as_deref(), &policy.licenses.allow) {
            refuse(reason);
        }
    }
    let registries: BTreeSet<&str> = packages
        .iter()
        .filter_map(|package| package.source.as_deref())
        .collect();
    if registries.len() > 1 {
        places.push("the dependencies come from more than one registry".to_owned());
    }
    places
}

/// Does the expression offer at least one way of using the crate under allowed licences?
fn allowed(expression: Option<&str>, allow: &[String]) -> Result<(), String> {
    let text = expression.ok_or("names no licence")?;
    // Crates from before SPDX expressions write "MIT/Apache-2.0".
    let parsed = spdx::Expression::parse_mode(text, spdx::ParseMode::LAX)
        .map_err(|error| format!("licence {text:?} cannot be read: {}", error.reason))?;
    let met = parsed.evaluate(|requirement| allow.iter().any(|allowed| *allowed == requirement.to_string()));
    if met {
        Ok(())
    } else {
        Err(format!("licence {text} is not allowed"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Ban, Bans, Graph, Licenses, Package, Policy, refused};

    fn policy() -> Policy {
        Policy {
            graph: Graph { targets: Vec::new() },
            licenses: Licenses {
                allow: vec!["MIT".to_owned(), "Apache-2.0".to_owned()],
            },
            bans: Bans {
                deny: vec![Ban {
                    name: "backoff".to_owned(),
                    reason: "unmaintained".to_owned(),
                }],
            },
        }
    }

    fn package(name: &str, license: Option<&str>, source: Option<&str>) -> Package {
        Package {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            license: license.map(str::to_owned),
            source: source.map(str::to_owned),
        }
    }

    #[test]
    fn a_choice_with_one_allowed_licence_is_allowed() {
        let one_of_two = package("serde", Some("GPL-3.0-only OR MIT"), Some("registry+one"));
        let old_style = package("lazy", Some("MIT/Apache-2.0"), Some("registry+one"));
        assert_eq!(refused(&policy(), &[one_of_two, old_style]), Vec::<String>::new());
    }

    #[test]
    fn a_licence_outside_the_list_or_none_at_all_is_refused() {
        let both = package("copyleft", Some("MIT AND GPL-3.0-only"), None);
        let none = package("silent", None, None);
        let places = refused(&policy(), &[both, none]);
        assert_eq!(
            places,
            [
                "copyleft 1.0.0: licence MIT AND GPL-3.0-only is not allowed",
                "silent 1.0.0: names no licence"
            ]
        );
    }

    #[test]
    fn a_banned_crate_and_one_from_git_are_refused() {
        let banned = package("backoff", Some("MIT"), Some("registry+one"));
        let from_git = package("fork", Some("MIT"), Some("git+https://example.org/fork"));
        let places = refused(&policy(), &[banned, from_git]);
        assert_eq!(places[0], "backoff 1.0.0: banned, unmaintained");
        assert_eq!(places[1], "fork 1.0.0: comes from outside the registry");
    }
}
