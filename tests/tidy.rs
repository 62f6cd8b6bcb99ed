//! House rules that no lint knows: who may import what, how long a file or a function may be, and
//! that every file says why it exists.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::{Path, PathBuf};

/// Lines of a file outside its tests, and of a function from signature to closing brace.
const FILE: usize = 500;
const FUNCTION: usize = 80;

/// What the files under a folder must never name, and why. `*` is any one folder.
const LAYERS: [(&str, &[&str], &str); 12] = [
    (
        "codegen/src",
        &["contracts", "tokio", "mesh"],
        "it runs at build time, before all of them",
    ),
    (
        "src",
        &["mesh", "gateway", "sea_orm", "tokio"],
        "the contracts depend on nothing of ours and do no I/O",
    ),
    (
        "mesh/src",
        &[
            "sea_orm",
            "redis",
            "durable",
            "contracts::search",
            "contracts::booking",
            "contracts::orchestration",
            "contracts::mail",
        ],
        "it sees methods and tables, not a service's messages or database",
    ),
    (
        "mesh/durable/src",
        &["contracts", "tonic"],
        "it stores and passes on bytes",
    ),
    (
        "gateway/src",
        &[
            "search",
            "booking",
            "orchestration",
            "identity",
            "mail",
            "durable",
            "sea_orm",
            "redis",
            "contracts::search",
            "contracts::booking",
            "contracts::orchestration",
            "contracts::identity",
            "contracts::mail",
            "contracts::operations",
            "axum",
        ],
        "its routes are generated",
    ),
    (
        "services/*/src/domain",
        &[
            "tonic",
            "prost",
            "contracts",
            "sea_orm",
            "durable",
            "mesh",
            "tokio::time",
        ],
        "the domain is plain types and rules",
    ),
    (
        "services/*/src/saga",
        &["tonic", "prost", "contracts", "sea_orm", "durable"],
        "a saga is written against ports",
    ),
    (
        "services/*/src/grpc",
        &["sea_orm"],
        "it decodes, calls the domain and encodes",
    ),
    (
        "services/*/src/store",
        &["tonic", "contracts"],
        "it stores what the domain says",
    ),
    (
        "services/search/src/import",
        &["tonic", "contracts"],
        "it turns files into what the domain says",
    ),
    (
        "services/mail/src/consumer",
        &["tonic", "prost", "contracts", "sea_orm", "lettre"],
        "it is written against ports",
    ),
    (
        "services/mail/src/render",
        &["tonic", "prost", "contracts", "sea_orm", "lettre", "mesh"],
        "it writes what the domain says",
    ),
];

/// Services never use each other's crates: they call each other through generated clients.
const SERVICES: [&str; 5] = ["search", "booking", "orchestration", "mail", "identity"];

/// Calls that only the edges make: time and the environment are handed down.
const IMPURE: [&str; 5] = [
    "SystemTime::now",
    "Instant::now",
    "Utc::now",
    "Local::now",
    "env::var",
];

/// A source file of ours.
struct Source {
    /// Path from the root, with `/`.
    path: String,
    text: String,
}

impl Source {
    /// The lines outside of inline tests, with their numbers.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().take_while(|line| *line != "#[cfg(test)]");
        lines.enumerate().map(|(index, line)| (index + 1, line))
    }

    fn is_test(&self) -> bool {
        ["tests/", "benches/", "testing/"].iter().any(|folder| {
            self.path.starts_with(folder) || self.path.contains(&format!("/{folder}"))
        })
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below `folder` whose name ends in one of `endings`, build output left out.
fn files(folder: &Path, endings: &[&str], found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            if !name.starts_with('.') && name != "target" {
                files(&path, endings, found);
            }
        } else if endings.iter().any(|ending| name.ends_with(ending)) {
            found.push(path);
        }
    }
}

fn sources(endings: &[&str]) -> Vec<Source> {
    let mut found = vec![];
    files(root(), endings, &mut found);
    let source = |path: PathBuf| Source {
        path: path
            .strip_prefix(root())
            .unwrap()
            .to_str()
            .unwrap()
            .replace('\\', "/"),
        text: fs::read_to_string(&path).unwrap_or_default(),
    };
    found.into_iter().map(source).collect()
}

/// Fails with every finding at once.
fn check(findings: &[String]) {
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}

#[test]
fn every_file_says_why_it_exists() {
    let silent = sources(&[".rs"])
        .into_iter()
        .filter(|source| !source.text.starts_with("//! "));
    check(
        &silent
            .map(|source| format!("{}: begins without a module doc (//!)", source.path))
            .collect::<Vec<_>>(),
    );
}

#[test]
fn files_are_short() {
    let mut findings = vec![];
    for source in sources(&[".rs"]).iter().filter(|source| !source.is_test()) {
        let lines = source.lines().count();
        if lines > FILE {
            findings.push(format!(
                "{}: {lines} lines; is there a second idea in it?",
                source.path
            ));
        }
    }
    check(&findings);
}

#[test]
fn functions_fit_a_screen() {
    let mut findings = vec![];
    for source in sources(&[".rs"]).iter().filter(|source| !source.is_test()) {
        let mut open: Option<(usize, String, &str)> = None;
        for (number, line) in source.lines() {
            let indent = &line[..line.len() - line.trim_start().len()];
            let is_function = || {
                line.split_whitespace().take(5).any(|word| word == "fn")
                    && !line.trim_start().starts_with("//")
            };
            match &open {
                None if is_function() && !line.trim_end().ends_with([';', '}']) => {
                    open = Some((number, format!("{indent}}}"), line.trim()));
                }
                Some((start, end, name)) if line == end => {
                    let lines = number - start + 1;
                    if lines > FUNCTION {
                        findings.push(format!("{}:{start}: {lines} lines in {name}", source.path));
                    }
                    open = None;
                }
                // A declaration without a body ends where its signature does.
                Some((_, end, _))
                    if line.starts_with(end.trim_end_matches('}')) && line.trim() == ");" =>
                {
                    open = None;
                }
                _ => {}
            }
        }
    }
    check(&findings);
}

#[test]
fn layers_import_downwards_only() {
    let mut findings = vec![];
    for source in sources(&[".rs"]).iter().filter(|source| !source.is_test()) {
        for (folder, forbidden, why) in LAYERS
            .iter()
            .filter(|(folder, ..)| is_below(&source.path, folder))
        {
            for (number, line) in source.lines() {
                let code = line.split("//").next().unwrap_or_default();
                for name in forbidden.iter().filter(|name| names(code, name)) {
                    findings.push(format!(
                        "{}:{number}: {folder} must not use {name}: {why}",
                        source.path
                    ));
                }
            }
        }
    }
    check(&findings);
}

#[test]
fn services_know_each_other_by_contract_only() {
    let mut findings = vec![];
    for own in SERVICES {
        let manifest = root().join(format!("services/{own}/Cargo.toml"));
        let manifest = fs::read_to_string(manifest).unwrap();
        for other in SERVICES.iter().filter(|other| **other != own) {
            if manifest.contains(&format!("\n{other} =")) {
                findings.push(format!("services/{own} depends on {other}"));
            }
        }
    }
    check(&findings);
}

/// Whether a path is below `folder`, in which `*` stands for any one folder.
fn is_below(path: &str, folder: &str) -> bool {
    let mut parts = path.split('/');
    folder.split('/').all(|wanted| {
        parts
            .next()
            .is_some_and(|part| wanted == "*" || wanted == part)
    }) && parts.next().is_some()
}

/// Whether a line of code uses the crate or path `name`, and not just a word that contains it.
fn names(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let starts = before
            .is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':' && c != '.' && c != '"');
        let imported =
            code.trim_start().starts_with("use ") || code.trim_start().starts_with("pub use ");
        starts
            && (code[at + name.len()..].starts_with("::")
                || (imported && code[at + name.len()..].starts_with(';')))
    })
}

#[test]
fn domains_are_handed_the_time_and_the_environment() {
    let mut findings = vec![];
    for source in sources(&[".rs"])
        .iter()
        .filter(|source| source.path.contains("/domain/"))
    {
        for (number, line) in source.lines() {
            for call in IMPURE.iter().filter(|call| line.contains(**call)) {
                findings.push(format!("{}:{number}: {call} in a domain", source.path));
            }
        }
    }
    check(&findings);
}

#[test]
fn the_environment_is_read_in_one_place() {
    let mut findings = vec![];
    for source in sources(&[".rs"])
        .iter()
        .filter(|source| !source.is_test() && source.path != "skyway/src/process.rs")
    {
        for (number, line) in source.lines() {
            // `env!` is of build time; `std::env::var` is not.
            if line.contains("env::var") && !source.path.ends_with("build.rs") {
                findings.push(format!(
                    "{}:{number}: settings come from skyway/src/config",
                    source.path
                ));
            }
        }
    }
    check(&findings);
}

#[test]
fn the_time_of_day_is_read_in_one_place() {
    let mut findings = vec![];
    for source in sources(&[".rs"])
        .iter()
        .filter(|source| !source.is_test() && source.path != "mesh/src/clock.rs")
    {
        for (number, line) in source.lines() {
            if line.contains("SystemTime::now") || line.contains("UNIX_EPOCH.elapsed") {
                findings.push(format!("{}:{number}: ask mesh::clock", source.path));
            }
        }
    }
    check(&findings);
}

#[test]
fn nothing_names_the_machine_it_was_written_on() {
    let mut findings = vec![];
    let homes = ["/root", "/home", "/Users"].map(|home| format!("{home}/"));
    for source in sources(&[".rs", ".toml", ".md", ".sh", ".proto", ".yaml", ".txt"]) {
        for (number, line) in source.text.lines().enumerate() {
            if homes.iter().any(|home| line.contains(home.as_str())) {
                findings.push(format!(
                    "{}:{}: a path of one machine: {}",
                    source.path,
                    number + 1,
                    line.trim()
                ));
            }
        }
    }
    check(&findings);
}

#[cfg(test)]
mod tests {
    use super::{is_below, names};

    #[test]
    fn a_star_is_one_folder() {
        for (path, folder, below) in [
            (
                "services/search/src/domain/fare.rs",
                "services/*/src/domain",
                true,
            ),
            ("services/search/src/lib.rs", "services/*/src/domain", false),
            ("srcs/lib.rs", "src", false),
            ("src/lib.rs", "src", true),
        ] {
            assert_eq!(is_below(path, folder), below, "{path} {folder}");
        }
    }

    #[test]
    fn a_crate_is_told_from_a_word() {
        for (code, used) in [
            ("use search::Config;", true),
            ("    let x = search::serve();", true),
            ("use contracts::search::v1::Flight;", false),
            ("    research::serve()", false),
            ("use search;", true),
            ("    let search = 1;", false),
            ("    \"search::x\"", false),
        ] {
            assert_eq!(names(code, "search"), used, "{code}");
        }
    }
}
