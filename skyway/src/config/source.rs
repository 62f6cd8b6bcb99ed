//! Where settings come from: `skyway.toml`, then the environment, then flags; the last one wins.
//!
//! A mistake is one line that names the key as its author wrote it (a flag, a variable, or a key
//! and its file), so everything that figment knows about a value's origin is kept to the end.

use std::path::{Path, PathBuf};

use figment::error::Kind;
use figment::providers::{Format, Toml};
use figment::value::{Dict, Map, Tag, Value};
use figment::{Figment, Metadata, Profile, Provider};

/// Names that do not follow from a key, of other programs' making or shorter for people, and the
/// keys that they set.
const WELL_KNOWN: [(&str, &str); 6] = [
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "telemetry.otlp_endpoint"),
    ("REDIS_URL", "queue.url"),
    ("RUST_LOG", "log.filter"),
    ("SMTP_URL", "mail.smtp_url"),
    ("SKYWAY_PASSWORD", "client.password"),
    ("SKYWAY_SESSION_FILE", "client.session_file"),
];

/// The file that is read where none is named.
const DEFAULT_FILE: &str = "skyway.toml";

/// A setting that is not right. One line; the text names the key and says what would be right.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ConfigError(pub(super) String);

/// A setting given on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flag {
    /// The key that it sets.
    pub(crate) key: String,
    /// The flag as it was written, `--data-dir`.
    pub(crate) name: String,
    /// What was written after it.
    pub(crate) value: String,
}

/// Merges file, environment and flags.
pub(super) fn merge(
    file: Option<&Path>,
    environment: impl Iterator<Item = (String, String)>,
    flags: Vec<Flag>,
    sections: &[&str],
) -> Result<Figment, ConfigError> {
    let path = match file {
        Some(path) if !path.is_file() => {
            return Err(ConfigError(format!(
                "--config: {} is not a file",
                path.display()
            )));
        }
        Some(path) => path.to_owned(),
        None => PathBuf::from(DEFAULT_FILE),
    };
    let mut figment = Figment::new();
    if path.is_file() {
        figment = figment.merge(Toml::file_exact(path));
    }
    for (name, value) in environment {
        if let Some(key) = key_of_variable(&name, sections) {
            figment = figment.merge(Setting { key, name, value });
        }
    }
    for Flag { key, name, value } in flags {
        figment = figment.merge(Setting { key, name, value });
    }
    Ok(figment)
}

/// The key that a variable sets, if it is ours: `SKYWAY_SEARCH_LISTEN` sets `search.listen`.
fn key_of_variable(name: &str, sections: &[&str]) -> Option<String> {
    if let Some((_, key)) = WELL_KNOWN.iter().find(|(known, _)| *known == name) {
        return Some((*key).to_owned());
    }
    let rest = name.strip_prefix("SKYWAY_")?.to_ascii_lowercase();
    match rest.split_once('_') {
        Some((section, key)) if sections.contains(&section) => Some(format!("{section}.{key}")),
        _ => Some(rest),
    }
}

/// The variable that sets a key.
pub(crate) fn variable_of_key(key: &str) -> String {
    match WELL_KNOWN.iter().find(|(_, known)| *known == key) {
        Some((name, _)) => (*name).to_owned(),
        None => format!("SKYWAY_{}", key.replace('.', "_").to_ascii_uppercase()),
    }
}

/// Where the value of a key came from, for people.
pub(super) fn origin(figment: &Figment, key: &str) -> String {
    match figment.find_metadata(key) {
        Some(metadata) => name_of(metadata),
        None => "default".to_owned(),
    }
}

/// One setting with a name of its own, so that a mistake can be told by that name.
struct Setting {
    key: String,
    name: String,
    value: String,
}

impl Provider for Setting {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let value = Value::String(Tag::Default, self.value.clone());
        let dict = match self.key.split_once('.') {
            Some((section, key)) => {
                let inner = Dict::from([(key.to_owned(), value)]);
                Dict::from([(section.to_owned(), Value::Dict(Tag::Default, inner))])
            }
            None => Dict::from([(self.key.clone(), value)]),
        };
        Ok(Map::from([(Profile::Default, dict)]))
    }
}

/// Says in one line what is wrong.
pub(super) fn explain(figment: &Figment, error: &figment::Error) -> ConfigError {
    let problem = match &error.kind {
        Kind::UnknownField(_, known) => format!("no such key; known here: {}", known.join(", ")),
        Kind::InvalidType(actual, expected) => format!("{actual} is not {expected}"),
        other => one_line(&other.to_string()),
    };
    let key = error.path.join(".");
    let metadata = figment.find_metadata(&key).or(error.metadata.as_ref());
    let name = match metadata {
        Some(metadata) if metadata.source.is_some() && key.is_empty() => name_of(metadata),
        Some(metadata) if metadata.source.is_some() => format!("{key} in {}", name_of(metadata)),
        Some(metadata) => name_of(metadata),
        None => key,
    };
    ConfigError(format!("{name}: {problem}"))
}

fn name_of(metadata: &Metadata) -> String {
    match metadata
        .source
        .as_ref()
        .and_then(figment::Source::file_path)
    {
        Some(path) => path.display().to_string(),
        None => metadata.name.to_string(),
    }
}

/// A parser's message of several lines, without the excerpt that it draws.
fn one_line(message: &str) -> String {
    let lines = message.lines().map(str::trim);
    let words: Vec<&str> = lines
        .filter(|line| !line.is_empty() && !line.starts_with('|') && !line.contains(" | "))
        .collect();
    words.join(": ")
}
