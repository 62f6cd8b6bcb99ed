//! One value of a field as it stands on the wire, before anything is known of its use.

use super::{
    schema::{Field, Kind},
    wire::{self, WireError, WireType},
};

/// A value on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Raw<'a> {
    /// A varint.
    Varint(u64),
    /// Four bytes.
    Fixed32(u32),
    /// Eight bytes.
    Fixed64(u64),
    /// A string, bytes or a message.
    Bytes(&'a [u8]),
}

impl Raw<'_> {
    /// The value that a field of this kind has where it is not on the wire.
    #[must_use]
    pub(super) fn default_of(kind: Kind) -> Self {
        match kind.wire_type() {
            WireType::Fixed32 => Self::Fixed32(0),
            WireType::Fixed64 => Self::Fixed64(0),
            WireType::Bytes => Self::Bytes(&[]),
            _ => Self::Varint(0),
        }
    }
}

impl Kind {
    /// How one value of this kind is laid out.
    #[must_use]
    #[inline]
    pub const fn wire_type(self) -> WireType {
        match self {
            Self::Double | Self::Fixed64 | Self::Sfixed64 => WireType::Fixed64,
            Self::Float | Self::Fixed32 | Self::Sfixed32 => WireType::Fixed32,
            Self::String | Self::Bytes | Self::Message(_) => WireType::Bytes,
            _ => WireType::Varint,
        }
    }

    /// Whether repeated values of this kind may share one record.
    #[must_use]
    #[inline]
    pub const fn packable(self) -> bool {
        !matches!(self.wire_type(), WireType::Bytes)
    }

    /// Whether `raw` is the default value: zero, false or empty. Negative zero is not.
    #[must_use]
    #[inline]
    pub(super) fn is_default(self, raw: Raw<'_>) -> bool {
        match raw {
            Raw::Bytes(bytes) => bytes.is_empty(),
            Raw::Fixed32(bits) => bits == 0,
            Raw::Fixed64(bits) => bits == 0,
            Raw::Varint(value) => match self {
                // Only the low half of a varint counts for these.
                Self::Int32 | Self::Uint32 | Self::Sint32 | Self::Enum(_) => value as u32 == 0,
                _ => value == 0,
            },
        }
    }
}

/// Reads a value that is laid out as `wire_type` says; groups are nothing that a field can hold.
///
/// # Errors
/// Fails where `wire` ends within the value.
#[inline]
pub(super) fn read<'a>(wire: &mut &'a [u8], wire_type: WireType) -> Result<Raw<'a>, WireError> {
    match wire_type {
        WireType::Varint => wire::varint(wire).map(Raw::Varint),
        WireType::Fixed32 => wire::fixed32(wire).map(Raw::Fixed32),
        WireType::Fixed64 => wire::fixed64(wire).map(Raw::Fixed64),
        WireType::Bytes => wire::bytes(wire).map(Raw::Bytes),
        WireType::StartGroup | WireType::EndGroup => Err(WireError::Tag),
    }
}

/// Appends a value as [`read`] reads it.
pub(super) fn put(out: &mut Vec<u8>, raw: Raw<'_>) {
    match raw {
        Raw::Varint(value) => wire::put_varint(out, value),
        Raw::Fixed32(bits) => out.extend_from_slice(&bits.to_le_bytes()),
        Raw::Fixed64(bits) => out.extend_from_slice(&bits.to_le_bytes()),
        Raw::Bytes(bytes) => wire::put_bytes(out, bytes),
    }
}

/// Key and value of an entry of a map; what is not there has its default.
pub(super) fn map_entry<'w>(
    key: &Field,
    value: &Field,
    mut wire: &'w [u8],
) -> Result<(Raw<'w>, Raw<'w>), WireError> {
    let mut raws = (Raw::default_of(key.kind), Raw::default_of(value.kind));
    while !wire.is_empty() {
        let (number, wire_type) = wire::tag(&mut wire)?;
        match number {
            1 if wire_type == key.kind.wire_type() => raws.0 = read(&mut wire, wire_type)?,
            2 if wire_type == value.kind.wire_type() => raws.1 = read(&mut wire, wire_type)?,
            _ => wire::skip(&mut wire, number, wire_type)?,
        }
    }
    Ok(raws)
}
