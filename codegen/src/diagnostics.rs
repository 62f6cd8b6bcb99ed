//! Mistakes in a contract, each with the file and line where it stands.
//!
//! A build stops with all of them at once: who fixes a contract should not need one build per
//! mistake.

use std::fmt;

use prost_reflect::FileDescriptor;

/// Number of the `options` field in `MethodDescriptorProto`.
pub(crate) const METHOD_OPTIONS: i32 = 4;
/// Number of the `options` field in `FieldDescriptorProto`.
pub(crate) const FIELD_OPTIONS: i32 = 8;
/// Number of the `options` field in `OneofDescriptorProto`.
pub(crate) const ONEOF_OPTIONS: i32 = 2;
/// Number of the `options` field in `MessageDescriptorProto`.
pub(crate) const MESSAGE_OPTIONS: i32 = 7;

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Name of the file as it is imported, for example `skyway/search/v1/flight.proto`.
    pub file: String,
    /// Line, from 1; 0 where it is not known.
    pub line: usize,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.message)
    }
}

/// All mistakes of a contract.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{diagnostic}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

/// A place in a contract: a file and a path through its descriptor, as in `SourceCodeInfo`.
pub(crate) struct Place {
    file: FileDescriptor,
    path: Vec<i32>,
}

impl Place {
    /// The option with number `option` of the element at `path`, whose options are field `options`.
    pub(crate) fn option(file: FileDescriptor, path: &[i32], options: i32, option: u32) -> Self {
        let option = i32::try_from(option).unwrap_or(0);
        let path = path.iter().copied().chain([options, option]).collect();
        Self { file, path }
    }
}

impl Diagnostics {
    /// Notes a mistake at `place`; an option that is missing is noted at its element.
    pub(crate) fn add(&mut self, place: &Place, message: impl Into<String>) {
        let diagnostic = Diagnostic {
            file: place.file.name().to_owned(),
            line: line(place),
            message: message.into(),
        };
        self.0.push(diagnostic);
    }

    /// Nothing where there is no mistake, else all of them in the order of the files.
    pub(crate) fn into_result(mut self) -> Result<(), Self> {
        if self.0.is_empty() {
            return Ok(());
        }
        self.0
            .sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        Err(self)
    }
}

/// Line of the first thing at or below `place`, else of the nearest element around it.
fn line(place: &Place) -> usize {
    let Some(info) = &place.file.file_descriptor_proto().source_code_info else {
        return 0;
    };
    (1..=place.path.len())
        .rev()
        .find_map(|length| {
            let prefix = &place.path[..length];
            let below = info.location.iter().filter(|l| l.path.starts_with(prefix));
            below.filter_map(|location| location.span.first()).min()
        })
        .and_then(|line| usize::try_from(*line).ok())
        .map_or(0, |line| line + 1)
}
