//! The Protobuf wire format, as far as the tables need it: tags, varints and how to skip.
//!
//! Reading is bounds-checked and never allocates. See the encoding guide of Protocol Buffers.

/// Nesting that readers and writers accept, as Protobuf's own parsers do.
pub const MAX_DEPTH: u32 = 100;

/// Why bytes are not the wire form of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// They end within a value.
    #[error("the message is cut off")]
    Truncated,
    /// A varint does not end within ten bytes.
    #[error("a varint is too long")]
    Varint,
    /// A tag has field number zero or an unknown wire type, or a group ends that never began.
    #[error("a tag is invalid")]
    Tag,
    /// A string is not UTF-8.
    #[error("field {0} is not UTF-8")]
    Utf8(&'static str),
    /// A well-known type holds what its JSON form cannot express.
    #[error("field {0} is out of the range of its type")]
    Range(&'static str),
    /// Messages are nested more than [`MAX_DEPTH`] deep.
    #[error("messages are nested too deep")]
    Depth,
}

/// How a value is laid out on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireType {
    /// A varint.
    Varint,
    /// Eight bytes.
    Fixed64,
    /// A length and that many bytes.
    Bytes,
    /// A group begins.
    StartGroup,
    /// A group ends.
    EndGroup,
    /// Four bytes.
    Fixed32,
}

impl WireType {
    fn from_bits(bits: u64) -> Option<Self> {
        Some(match bits {
            0 => Self::Varint,
            1 => Self::Fixed64,
            2 => Self::Bytes,
            3 => Self::StartGroup,
            4 => Self::EndGroup,
            5 => Self::Fixed32,
            _ => return None,
        })
    }

    /// Its three bits in a tag.
    #[must_use]
    pub const fn bits(self) -> u32 {
        match self {
            Self::Varint => 0,
            Self::Fixed64 => 1,
            Self::Bytes => 2,
            Self::StartGroup => 3,
            Self::EndGroup => 4,
            Self::Fixed32 => 5,
        }
    }
}

/// Reads a varint from the front of `wire`.
///
/// # Errors
/// Fails where `wire` ends within it or it is longer than ten bytes.
#[inline]
pub fn varint(wire: &mut &[u8]) -> Result<u64, WireError> {
    // Most varints are one byte (tags, lengths, small numbers) or two.
    match **wire {
        [a, ref rest @ ..] if a < 0x80 => {
            *wire = rest;
            Ok(u64::from(a))
        }
        [a, b, ref rest @ ..] if b < 0x80 => {
            *wire = rest;
            Ok(u64::from(a & 0x7f) | u64::from(b) << 7)
        }
        _ => long_varint(wire),
    }
}

/// A varint of three bytes and more, such as the seconds of an instant.
fn long_varint(wire: &mut &[u8]) -> Result<u64, WireError> {
    let mut value = 0;
    for (index, byte) in wire.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if *byte < 0x80 {
            *wire = &wire[index + 1..];
            return Ok(value);
        }
    }
    Err(if wire.len() < 10 {
        WireError::Truncated
    } else {
        WireError::Varint
    })
}

/// Reads a tag: field number and wire type.
///
/// # Errors
/// Fails where `wire` ends within it, or where it has no valid number or wire type.
#[inline]
pub fn tag(wire: &mut &[u8]) -> Result<(u32, WireType), WireError> {
    let tag = varint(wire)?;
    let wire_type = WireType::from_bits(tag & 7).ok_or(WireError::Tag)?;
    match u32::try_from(tag >> 3) {
        Ok(number) if number > 0 && number < 1 << 29 => Ok((number, wire_type)),
        _ => Err(WireError::Tag),
    }
}

/// Reads a length and that many bytes.
///
/// # Errors
/// Fails where `wire` ends within them.
#[inline]
pub fn bytes<'a>(wire: &mut &'a [u8]) -> Result<&'a [u8], WireError> {
    let length = usize::try_from(varint(wire)?).map_err(|_| WireError::Truncated)?;
    let (bytes, rest) = wire.split_at_checked(length).ok_or(WireError::Truncated)?;
    *wire = rest;
    Ok(bytes)
}

/// Reads four bytes.
///
/// # Errors
/// Fails where `wire` ends within them.
#[inline]
pub fn fixed32(wire: &mut &[u8]) -> Result<u32, WireError> {
    let (bytes, rest) = wire.split_first_chunk().ok_or(WireError::Truncated)?;
    *wire = rest;
    Ok(u32::from_le_bytes(*bytes))
}

/// Reads eight bytes.
///
/// # Errors
/// Fails where `wire` ends within them.
#[inline]
pub fn fixed64(wire: &mut &[u8]) -> Result<u64, WireError> {
    let (bytes, rest) = wire.split_first_chunk().ok_or(WireError::Truncated)?;
    *wire = rest;
    Ok(u64::from_le_bytes(*bytes))
}

/// Skips the value behind a tag, whole groups included.
///
/// # Errors
/// Fails where the value is cut off, or a group is not closed by its own end.
pub fn skip(wire: &mut &[u8], number: u32, wire_type: WireType) -> Result<(), WireError> {
    skip_nested(wire, number, wire_type, 0)
}

fn skip_nested(
    wire: &mut &[u8],
    number: u32,
    wire_type: WireType,
    depth: u32,
) -> Result<(), WireError> {
    match wire_type {
        WireType::Varint => varint(wire).map(drop),
        WireType::Fixed64 => fixed64(wire).map(drop),
        WireType::Bytes => bytes(wire).map(drop),
        WireType::Fixed32 => fixed32(wire).map(drop),
        WireType::EndGroup => Err(WireError::Tag),
        WireType::StartGroup if depth >= MAX_DEPTH => Err(WireError::Depth),
        WireType::StartGroup => loop {
            let (inner, wire_type) = tag(wire)?;
            if wire_type == WireType::EndGroup {
                return if inner == number {
                    Ok(())
                } else {
                    Err(WireError::Tag)
                };
            }
            skip_nested(wire, inner, wire_type, depth + 1)?;
        },
    }
}

/// Signed number from its zigzag form.
#[inline]
#[must_use]
pub const fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

/// Zigzag form of a signed number.
#[inline]
#[must_use]
pub const fn zigzag(value: i64) -> u64 {
    (value.cast_unsigned() << 1) ^ (value >> 63).cast_unsigned()
}

/// Appends a varint.
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a tag.
pub fn put_tag(out: &mut Vec<u8>, number: u32, wire_type: WireType) {
    put_varint(out, u64::from(number << 3 | wire_type.bits()));
}

/// Appends a length and the bytes.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Begins content whose length is not known yet; [`close`] takes what this returns. One byte is
/// kept for the length, which is enough for most.
#[must_use]
pub fn open(out: &mut Vec<u8>) -> usize {
    out.push(0);
    out.len()
}

/// Ends the content that began at `start`, and writes its length before it. Content of more than
/// 127 bytes is moved once.
pub fn close(out: &mut Vec<u8>, start: usize) {
    let length = out.len() - start;
    if let Ok(short @ 0..0x80) = u8::try_from(length) {
        out[start - 1] = short;
    } else {
        let mut prefix = Vec::with_capacity(10);
        put_varint(&mut prefix, length as u64);
        out.splice(start - 1..start, prefix);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_are_read_back() {
        for value in [
            0,
            1,
            127,
            128,
            300,
            16_383,
            16_384,
            u64::from(u32::MAX),
            u64::MAX,
        ] {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            let mut wire = out.as_slice();
            assert_eq!(varint(&mut wire), Ok(value));
            assert!(wire.is_empty());
        }
    }

    #[test]
    fn cut_or_endless_varints_are_refused() {
        assert_eq!(varint(&mut [].as_slice()), Err(WireError::Truncated));
        assert_eq!(
            varint(&mut [0x80, 0x80].as_slice()),
            Err(WireError::Truncated)
        );
        assert_eq!(varint(&mut [0xff; 11].as_slice()), Err(WireError::Varint));
    }

    #[test]
    fn tags_need_a_number_and_a_wire_type() {
        assert_eq!(tag(&mut [0x0a].as_slice()), Ok((1, WireType::Bytes)));
        assert_eq!(tag(&mut [0x02].as_slice()), Err(WireError::Tag));
        assert_eq!(tag(&mut [0x0e].as_slice()), Err(WireError::Tag));
    }

    #[test]
    fn groups_are_skipped_whole() {
        // start 1, varint 2 = 5, start 3, end 3, end 1, then one byte more
        let mut wire: &[u8] = &[0x10, 0x05, 0x1b, 0x1c, 0x0c, 0x2a];
        assert_eq!(skip(&mut wire, 1, WireType::StartGroup), Ok(()));
        assert_eq!(wire, [0x2a]);
        let mut open: &[u8] = &[0x1c];
        assert_eq!(
            skip(&mut open, 1, WireType::StartGroup),
            Err(WireError::Tag)
        );
        let deep = [0x0b; 300];
        assert_eq!(
            skip(&mut deep.as_slice(), 1, WireType::StartGroup),
            Err(WireError::Depth)
        );
    }

    #[test]
    fn nested_content_gets_the_shortest_length() {
        for length in [0, 127, 128, 20_000] {
            let content = vec![7; length];
            let mut nested = vec![1];
            let start = open(&mut nested);
            nested.extend_from_slice(&content);
            close(&mut nested, start);
            let mut plain = vec![1];
            put_bytes(&mut plain, &content);
            assert_eq!(nested, plain);
        }
    }

    #[test]
    fn zigzag_is_its_own_inverse() {
        for value in [0, -1, 1, i64::MIN, i64::MAX] {
            assert_eq!(unzigzag(zigzag(value)), value);
        }
        assert_eq!(zigzag(-1), 1);
    }
}
