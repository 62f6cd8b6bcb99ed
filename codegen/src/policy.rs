//! Reads what `skyway.policy.v1.method` says about a method.

use std::time::Duration;

use prost_reflect::{DynamicMessage, MethodDescriptor, ReflectMessage as _};
use prost_types::method_options::IdempotencyLevel;

use crate::{
    Access, Diagnostics, Idempotency, KeyRule, Spread,
    diagnostics::{METHOD_OPTIONS, Place},
};

const EXTENSION: &str = "skyway.policy.v1.method";
const EXTENSION_NUMBER: u32 = 50801;
/// The field of a request that holds its idempotency key.
const KEY_FIELD: &str = "request_id";
const DEFAULT_DEADLINE: Duration = Duration::from_secs(10);

/// The policy of one method.
pub(crate) struct Policy {
    pub(crate) access: Access,
    pub(crate) deadline: Option<Duration>,
    pub(crate) key: KeyRule,
    pub(crate) spread: Spread,
}

/// Reads the policy of `method`. A method without one, or without an access rule, is a mistake.
pub(crate) fn of(method: &MethodDescriptor, diagnostics: &mut Diagnostics) -> Policy {
    let place = Place::option(
        method.parent_file(),
        method.path(),
        METHOD_OPTIONS,
        EXTENSION_NUMBER,
    );
    let options = method.options();
    let extension = method.parent_pool().get_extension_by_name(EXTENSION);
    let policy = extension
        .filter(|extension| options.has_extension(extension))
        .and_then(|extension| options.get_extension(&extension).as_message().cloned());

    let Some(policy) = policy else {
        let message = format!(
            "{} has no policy; give it option ({EXTENSION}) = {{access: ACCESS_…}}",
            method.full_name()
        );
        diagnostics.add(&place, message);
        return Policy {
            access: Access::Mesh,
            deadline: None,
            key: KeyRule::None,
            spread: Spread::None,
        };
    };
    let access = access(&policy).unwrap_or_else(|| {
        let message = format!(
            "{} does not say who may call it; set access to ACCESS_PUBLIC, ACCESS_USER, ACCESS_OWNER, ACCESS_ADMIN or ACCESS_MESH",
            method.full_name()
        );
        diagnostics.add(&place, message);
        Access::Mesh
    });
    let streams = method.is_server_streaming() || method.is_client_streaming();
    let deadline = match deadline(&policy) {
        Some(_) if streams => {
            diagnostics.add(
                &place,
                "a stream has no default deadline; leave default_deadline out",
            );
            None
        }
        Some(Duration::ZERO) => {
            diagnostics.add(&place, "default_deadline must be greater than zero");
            None
        }
        None if streams => None,
        deadline => deadline.or(Some(DEFAULT_DEADLINE)),
    };
    let key = key(&policy);
    if key != KeyRule::None && method.input().get_field_by_name(KEY_FIELD).is_none() {
        let message = format!("a method that takes an idempotency key has a field {KEY_FIELD}");
        diagnostics.add(&place, message);
    }
    let spread = spread(&policy);
    if spread != Spread::None && streams {
        diagnostics.add(&place, "a stream comes from one service; leave spread out");
    }
    Policy {
        access,
        deadline,
        key,
        spread,
    }
}

fn key(policy: &DynamicMessage) -> KeyRule {
    let key = policy.get_field_by_name("idempotency_key");
    match key.and_then(|key| key.as_enum_number()) {
        Some(1) => KeyRule::Required,
        Some(2) => KeyRule::Optional,
        _ => KeyRule::None,
    }
}

fn spread(policy: &DynamicMessage) -> Spread {
    let spread = policy.get_field_by_name("spread");
    match spread.and_then(|spread| spread.as_enum_number()) {
        Some(1) => Spread::Merged,
        Some(2) => Spread::Found,
        _ => Spread::None,
    }
}

fn access(policy: &DynamicMessage) -> Option<Access> {
    match policy.get_field_by_name("access")?.as_enum_number()? {
        1 => Some(Access::Public),
        2 => Some(Access::User),
        3 => Some(Access::Owner),
        4 => Some(Access::Admin),
        5 => Some(Access::Mesh),
        _ => None,
    }
}

/// The default deadline; negative ones are zero, which is then refused.
fn deadline(policy: &DynamicMessage) -> Option<Duration> {
    if !policy.has_field_by_name("default_deadline") {
        return None;
    }
    let deadline = policy.get_field_by_name("default_deadline")?;
    let deadline = deadline.as_message()?;
    debug_assert_eq!(
        deadline.descriptor().full_name(),
        "google.protobuf.Duration"
    );
    let seconds = deadline.get_field_by_name("seconds")?.as_i64()?;
    let nanos = deadline.get_field_by_name("nanos")?.as_i32()?;
    let seconds = u64::try_from(seconds).unwrap_or(0);
    Some(Duration::new(seconds, u32::try_from(nanos).unwrap_or(0)))
}

/// Whether asking again is harmless.
pub(crate) fn idempotency(method: &MethodDescriptor) -> Idempotency {
    let options = method.method_descriptor_proto().options.as_ref();
    let level = options.map(prost_types::MethodOptions::idempotency_level);
    match level.unwrap_or_default() {
        IdempotencyLevel::IdempotencyUnknown => Idempotency::Unknown,
        IdempotencyLevel::NoSideEffects => Idempotency::NoSideEffects,
        IdempotencyLevel::Idempotent => Idempotency::Idempotent,
    }
}
