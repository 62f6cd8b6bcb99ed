//! The typed model of a contract: what the printers print.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use prost_reflect::{
    DescriptorPool, EnumDescriptor, FieldDescriptor, FileDescriptor, Kind, MessageDescriptor,
    MethodDescriptor, ServiceDescriptor,
};

use crate::{Diagnostics, Error, FieldRules, binding, http_rule::Template, policy, rules};

/// A whole contract: all files that were given, and what they import.
pub struct Contract {
    /// Messages with a table, in the order of their full names.
    pub messages: Vec<Message>,
    /// Enums with a table, in the order of their full names.
    pub enums: Vec<EnumDescriptor>,
    /// Services in the order of their full names.
    pub services: Vec<Service>,
    pool: DescriptorPool,
    /// Descriptor set with every option, without comments.
    bytes: Vec<u8>,
    /// The same with comments, but without custom options.
    files: prost_types::FileDescriptorSet,
}

/// A message and its constraints.
pub struct Message {
    /// Its descriptor.
    pub descriptor: MessageDescriptor,
    /// Constraints by field number; fields without any are left out.
    pub rules: BTreeMap<u32, FieldRules>,
    /// Names of its oneofs of which one member must be set.
    pub required_oneofs: Vec<String>,
    /// Whether it or a message that it contains has a constraint.
    pub constrained: bool,
}

/// A service.
pub struct Service {
    /// Its descriptor.
    pub descriptor: ServiceDescriptor,
    /// Its methods in the order of the contract.
    pub methods: Vec<Method>,
}

/// A method with its policy and its REST bindings.
pub struct Method {
    /// Its descriptor.
    pub descriptor: MethodDescriptor,
    /// Who may call it.
    pub access: Access,
    /// Deadline where the caller names none.
    pub deadline: Option<Duration>,
    /// Whether asking again is harmless.
    pub idempotency: Idempotency,
    /// Whether it takes an idempotency key.
    pub key: KeyRule,
    /// Which services the gateway asks.
    pub spread: Spread,
    /// REST bindings; the first is the main one.
    pub bindings: Vec<Binding>,
}

/// Who may call a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // explained in skyway/policy/v1/policy.proto
pub enum Access {
    Public,
    User,
    Owner,
    Admin,
    Mesh,
}

/// Whether asking again is harmless, from `idempotency_level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // explained in google/protobuf/descriptor.proto
pub enum Idempotency {
    Unknown,
    NoSideEffects,
    Idempotent,
}

/// Whether a method takes an idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // explained in skyway/policy/v1/policy.proto
pub enum KeyRule {
    None,
    Required,
    Optional,
}

/// Which services the gateway asks, where several serve the same contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // explained in skyway/policy/v1/policy.proto
pub enum Spread {
    None,
    Merged,
    Found,
}

/// A REST binding whose fields are resolved.
pub struct Binding {
    /// HTTP verb in capitals.
    pub verb: String,
    /// Path template as written.
    pub text: String,
    /// The template, parsed.
    pub template: Template,
    /// Variables of the path in the order of the template.
    pub variables: Vec<Variable>,
    /// Where the body goes.
    pub body: Body,
    /// The field of the response that is the HTTP body.
    pub response_body: Option<FieldDescriptor>,
}

/// A path variable whose field is resolved.
pub struct Variable {
    /// The fields from the request message inwards.
    pub fields: Vec<FieldDescriptor>,
    /// First segment that it spans.
    pub start: usize,
    /// Segment after the last that it spans.
    pub end: usize,
}

/// Where the body of an HTTP request goes.
pub enum Body {
    /// There is none.
    None,
    /// It is the request message.
    Whole,
    /// It is this field of the request message.
    Field(FieldDescriptor),
}

impl Contract {
    /// Compiles `files`, which are named relative to one of `includes`.
    ///
    /// # Errors
    /// Fails where a file is missing or not valid Protobuf, or where the contract breaks a rule.
    pub fn load(includes: &[&Path], files: &[PathBuf]) -> Result<Self, Error> {
        let (with_comments, pool) = compile(includes, files, true)?;
        let (without, _) = compile(includes, files, false)?;
        let mut contract = Self {
            messages: Vec::new(),
            enums: generated(pool.all_enums(), EnumDescriptor::parent_file),
            services: Vec::new(),
            bytes: without.encode_file_descriptor_set(),
            files: with_comments.file_descriptor_set(),
            pool,
        };
        contract
            .enums
            .sort_by(|a, b| a.full_name().cmp(b.full_name()));

        let mut diagnostics = Diagnostics::default();
        contract.messages = messages(&contract.pool, &mut diagnostics);
        contract.services = services(&contract.pool, &mut diagnostics);
        diagnostics.into_result()?;
        Ok(contract)
    }

    /// The descriptor set with every option, for reflection.
    #[must_use]
    pub fn descriptors(&self) -> &[u8] {
        &self.bytes
    }

    /// The packages that have services, in order.
    #[must_use]
    pub fn service_packages(&self) -> BTreeSet<&str> {
        self.services
            .iter()
            .map(|service| service.descriptor.package_name())
            .collect()
    }

    /// The files that prost and tonic generate code for, and the well-known types that they use.
    pub(crate) fn generated_files(&self) -> prost_types::FileDescriptorSet {
        let files = self
            .files
            .file
            .iter()
            .filter(|file| has_tables(file.name()));
        prost_types::FileDescriptorSet {
            file: files.cloned().collect(),
        }
    }
}

type Compiled = (protox::Compiler, DescriptorPool);

fn compile(includes: &[&Path], files: &[PathBuf], comments: bool) -> Result<Compiled, Error> {
    let mut compiler = protox::Compiler::new(includes)?;
    compiler
        .include_imports(true)
        .include_source_info(comments)
        .open_files(files)?;
    // Custom options survive only in the encoded form.
    let pool = DescriptorPool::decode(compiler.encode_file_descriptor_set().as_slice())?;
    Ok((compiler, pool))
}

/// The `.proto` files below `root`, relative to it and in order.
pub(crate) fn proto_files(root: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let failed = |error| Error::Io(folder.clone(), error);
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path
                .extension()
                .is_some_and(|extension| extension == "proto")
            {
                files.extend(path.strip_prefix(root).map(Path::to_owned));
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Whether messages of this file can occur in a request or answer. Files that only declare
/// options are read at build time and never again.
fn has_tables(file: &str) -> bool {
    let options = ["buf/validate/", "google/api/", "skyway/policy/"];
    let only_options = options.iter().any(|folder| file.starts_with(folder));
    file == "google/api/httpbody.proto"
        || !(only_options || file == "google/protobuf/descriptor.proto")
}

fn generated<T>(all: impl Iterator<Item = T>, file: impl Fn(&T) -> FileDescriptor) -> Vec<T> {
    all.filter(|item| has_tables(file(item).name())).collect()
}

fn messages(pool: &DescriptorPool, diagnostics: &mut Diagnostics) -> Vec<Message> {
    let mut messages: Vec<Message> = generated(pool.all_messages(), MessageDescriptor::parent_file)
        .into_iter()
        .map(|descriptor| {
            let rules = rules::of_message(&descriptor, diagnostics);
            let required_oneofs = rules::required_oneofs(&descriptor, diagnostics);
            let constrained = !rules.is_empty() || !required_oneofs.is_empty();
            Message {
                descriptor,
                rules,
                required_oneofs,
                constrained,
            }
        })
        .collect();
    messages.sort_by(|a, b| a.descriptor.full_name().cmp(b.descriptor.full_name()));
    spread_constraints(&mut messages);
    messages
}

/// Marks every message that contains a constrained one, however deep.
fn spread_constraints(messages: &mut [Message]) {
    loop {
        let constrained: Vec<MessageDescriptor> = messages
            .iter()
            .filter(|m| m.constrained)
            .map(|m| m.descriptor.clone())
            .collect();
        let mut changed = false;
        for message in messages.iter_mut().filter(|message| !message.constrained) {
            message.constrained = message.descriptor.fields().any(|field| {
                matches!(field.kind(), Kind::Message(inner) if constrained.contains(&inner))
            });
            changed |= message.constrained;
        }
        if !changed {
            return;
        }
    }
}

fn services(pool: &DescriptorPool, diagnostics: &mut Diagnostics) -> Vec<Service> {
    let mut services: Vec<Service> = generated(pool.services(), ServiceDescriptor::parent_file)
        .into_iter()
        .map(|descriptor| {
            let methods = descriptor.methods();
            let methods = methods
                .map(|method| self::method(method, diagnostics))
                .collect();
            Service {
                descriptor,
                methods,
            }
        })
        .collect();
    services.sort_by(|a, b| a.descriptor.full_name().cmp(b.descriptor.full_name()));
    binding::check_ambiguity(&services, diagnostics);
    services
}

fn method(descriptor: MethodDescriptor, diagnostics: &mut Diagnostics) -> Method {
    let policy = policy::of(&descriptor, diagnostics);
    let bindings = binding::of(&descriptor, policy.access, diagnostics);
    Method {
        access: policy.access,
        deadline: policy.deadline,
        idempotency: policy::idempotency(&descriptor),
        key: policy.key,
        spread: policy.spread,
        bindings,
        descriptor,
    }
}
