//! A CSV file, row by row, with what both formats read from its cells.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use csv::ByteRecord;

use super::ReadError;
use crate::domain::{
    airport::{AirportId, Airports, Code},
    pattern::Carrier,
};

/// Why a cell cannot be used, and what would be right.
pub(super) type Reason = String;

/// An open file.
pub(super) struct Table {
    file: PathBuf,
    reader: csv::Reader<File>,
    header: Vec<String>,
    row: ByteRecord,
}

/// Size of a file in bytes.
pub(super) fn size(file: &Path) -> Result<u64, ReadError> {
    let metadata = std::fs::metadata(file).map_err(|source| ReadError::File {
        file: file.to_owned(),
        source,
    })?;
    Ok(metadata.len())
}

impl Table {
    /// Opens a file and reads its header.
    pub(super) fn open(file: &Path) -> Result<Self, ReadError> {
        let failed = |source| ReadError::File {
            file: file.to_owned(),
            source,
        };
        let mut start = [0; 2];
        let known = File::open(file)
            .map_err(failed)?
            .read(&mut start)
            .map_err(failed)?;
        let wrong = |reason: &str| ReadError::Header {
            file: file.to_owned(),
            reason: reason.to_owned(),
        };
        if known == 0 {
            return Err(wrong("it is empty"));
        }
        // ZIP and gzip, as such files are offered for download.
        if start == *b"PK" || start == [0x1F, 0x8B] {
            return Err(wrong("it is compressed; unpack it first"));
        }
        let mut reader = csv::ReaderBuilder::new()
            .flexible(true)
            .trim(csv::Trim::All)
            .from_path(file)
            .map_err(|error| failed(error.into()))?;
        let header = reader
            .byte_headers()
            .map_err(|error| failed(error.into()))?;
        let names = header.iter().map(|name| {
            String::from_utf8_lossy(name)
                .trim_start_matches('\u{FEFF}')
                .to_owned()
        });
        // A comma at the end of every line makes a column without a name.
        let header = names.collect();
        Ok(Self {
            file: file.to_owned(),
            reader,
            header,
            row: ByteRecord::new(),
        })
    }

    /// Names of its columns as they stand.
    pub(super) fn header(&self) -> &[String] {
        &self.header
    }

    /// The next row and its line.
    pub(super) fn next(&mut self) -> Result<Option<(u64, &ByteRecord)>, ReadError> {
        let more = self
            .reader
            .read_byte_record(&mut self.row)
            .map_err(|error| ReadError::File {
                file: self.file.clone(),
                source: error.into(),
            })?;
        let line = self.row.position().map_or(0, csv::Position::line);
        Ok(more.then_some((line, &self.row)))
    }

    /// Bytes read so far.
    pub(super) fn bytes_read(&self) -> u64 {
        self.reader.position().byte()
    }
}

/// A column: where it stands and what it is called.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) at: usize,
    pub(super) name: String,
}

impl Column {
    /// Its cell of a row, which must not be empty; `NA` is how statisticians write an empty one.
    pub(super) fn text<'r>(&self, row: &'r ByteRecord) -> Result<&'r str, Reason> {
        match row.get(self.at).map(std::str::from_utf8) {
            None | Some(Ok("" | "NA")) => Err(format!("{}: is missing", self.name)),
            Some(Err(_)) => Err(format!("{}: is not UTF-8 text", self.name)),
            Some(Ok(text)) => Ok(text),
        }
    }

    /// Says that its cell is not what it should be.
    pub(super) fn wrong(&self, text: &str, right: &str) -> Reason {
        format!("{}: {text:?} is not {right}", self.name)
    }

    pub(super) fn carrier(&self, row: &ByteRecord) -> Result<Carrier, Reason> {
        let text = self.text(row)?;
        Carrier::parse(text).ok_or_else(|| self.wrong(text, "a carrier's code such as AS or B6"))
    }

    pub(super) fn flight_number(&self, row: &ByteRecord) -> Result<u16, Reason> {
        let text = self.text(row)?;
        let number = text
            .parse()
            .ok()
            .filter(|number| (1..=9_999).contains(number));
        number.ok_or_else(|| self.wrong(text, "a flight number from 1 to 9999"))
    }

    pub(super) fn airport(&self, row: &ByteRecord) -> Result<AirportId, Reason> {
        let text = self.text(row)?;
        let known = Code::parse(text).and_then(|code| Airports::embedded().find(code));
        known.ok_or_else(|| self.wrong(text, "the code of a known airport"))
    }
}

/// Whether a flight over that distance can take that long; if not, why.
pub(super) fn plausible(km: u32, block: i32) -> Result<(), Reason> {
    let km = km.cast_signed();
    // No airliner is faster than 1,200 km/h over ground or, once up, slower than 250.
    let (least, most) = ((km / 20).max(10), (240 + km * 60 / 250).min(24 * 60));
    if (least..=most).contains(&block) {
        return Ok(());
    }
    Err(format!(
        "arrival: {block} minutes after departure is not plausible for {km} km, which take {least} to {most}"
    ))
}
