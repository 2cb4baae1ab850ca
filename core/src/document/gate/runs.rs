//! Run-length coded columns, read one run at a time.
//!
//! A run says how often its value repeats, so eight million operations fit in three bytes. Nothing here does work
//! or takes memory in proportion to what a run claims: [`tally`] counts by runs, and [`Rows`] is only walked
//! after the counts were found within the limits.
//!
//! Columns must be canonical, as Automerge's encoder writes them (see [`GateRefusal::NotCanonical`]).

use super::GateRefusal;
use super::reader::Reader;

/// A value that a run can hold.
pub(super) trait RunValue<'a>: Copy + PartialEq {
    fn read(reader: &mut Reader<'a>) -> Result<Self, GateRefusal>;
}

impl<'a> RunValue<'a> for u64 {
    fn read(reader: &mut Reader<'a>) -> Result<Self, GateRefusal> {
        reader.unsigned()
    }
}

impl<'a> RunValue<'a> for i64 {
    fn read(reader: &mut Reader<'a>) -> Result<Self, GateRefusal> {
        reader.signed()
    }
}

impl<'a> RunValue<'a> for &'a str {
    fn read(reader: &mut Reader<'a>) -> Result<Self, GateRefusal> {
        let length = reader.length()?;
        std::str::from_utf8(reader.take(length)?).map_err(|_| GateRefusal::Malformed("a text is not UTF-8"))
    }
}

/// `count` equal values, or `count` times none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run<V> {
    pub(super) count: u64,
    pub(super) value: Option<V>,
}

#[derive(Clone, Copy)]
enum Previous<V> {
    Start,
    Nothing,
    Repeat(V),
    Literal(V),
}

/// The runs of a column; a literal value is a run of one.
#[derive(Clone)]
pub(super) struct Runs<'a, V> {
    reader: Reader<'a>,
    literals_left: u64,
    previous: Previous<V>,
}

impl<'a, V: RunValue<'a>> Runs<'a, V> {
    pub(super) fn new(column: &'a [u8]) -> Self {
        Self {
            reader: Reader::new(column),
            literals_left: 0,
            previous: Previous::Start,
        }
    }

    pub(super) fn next_run(&mut self) -> Result<Option<Run<V>>, GateRefusal> {
        if self.literals_left > 0 {
            return self.literal().map(Some);
        }
        if self.reader.is_empty() {
            return Ok(None);
        }
        match self.reader.signed()? {
            0 => self.nothing().map(Some),
            count if count > 0 => self.repeat(count.unsigned_abs()).map(Some),
            count => {
                if matches!(self.previous, Previous::Literal(_)) {
                    return Err(GateRefusal::NotCanonical("two literal runs meet"));
                }
                self.literals_left = count.unsigned_abs();
                self.literal().map(Some)
            }
        }
    }

    fn literal(&mut self) -> Result<Run<V>, GateRefusal> {
        let value = self.differing_value()?;
        self.literals_left -= 1;
        self.previous = Previous::Literal(value);
        Ok(Run {
            count: 1,
            value: Some(value),
        })
    }

    fn repeat(&mut self, count: u64) -> Result<Run<V>, GateRefusal> {
        if count < 2 {
            return Err(GateRefusal::NotCanonical("a repetition of one"));
        }
        let value = self.differing_value()?;
        self.previous = Previous::Repeat(value);
        Ok(Run {
            count,
            value: Some(value),
        })
    }

    fn nothing(&mut self) -> Result<Run<V>, GateRefusal> {
        let count = self.reader.unsigned()?;
        if count == 0 || matches!(self.previous, Previous::Nothing) {
            return Err(GateRefusal::NotCanonical("an empty or split run of nothing"));
        }
        self.previous = Previous::Nothing;
        Ok(Run { count, value: None })
    }

    fn differing_value(&mut self) -> Result<V, GateRefusal> {
        let value = V::read(&mut self.reader)?;
        match self.previous {
            Previous::Repeat(previous) | Previous::Literal(previous) if previous == value => {
                Err(GateRefusal::NotCanonical("equal values are not one run"))
            }
            _ => Ok(value),
        }
    }
}

/// How many rows a column has, and how many of them hold a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) rows: u64,
    pub(super) values: u64,
}

/// Counts a column by its runs, in time proportional to its bytes.
///
/// # Errors
/// `TooManyOperations` as soon as the runs claim more than `rows_max`.
pub(super) fn tally<'a, V: RunValue<'a>>(
    column: &'a [u8],
    rows_max: u64,
    mut each: impl FnMut(&Run<V>) -> Result<(), GateRefusal>,
) -> Result<Tally, GateRefusal> {
    let mut runs = Runs::<V>::new(column);
    let mut tally = Tally::default();
    while let Some(run) = runs.next_run()? {
        tally.rows = add_rows(tally.rows, run.count, rows_max)?;
        if run.value.is_some() {
            tally.values += run.count;
        }
        each(&run)?;
    }
    Ok(tally)
}

fn add_rows(rows: u64, count: u64, rows_max: u64) -> Result<u64, GateRefusal> {
    rows.checked_add(count)
        .filter(|rows| *rows <= rows_max)
        .ok_or(GateRefusal::TooManyOperations)
}

/// Counts the rows of a column of booleans: lengths of runs, the first of `false`.
pub(super) fn tally_booleans(column: &[u8], rows_max: u64) -> Result<u64, GateRefusal> {
    let mut reader = Reader::new(column);
    let mut rows = 0;
    let mut is_first = true;
    while !reader.is_empty() {
        let count = reader.unsigned()?;
        if count == 0 && (!is_first || reader.is_empty()) {
            return Err(GateRefusal::NotCanonical("an empty run of booleans"));
        }
        rows = add_rows(rows, count, rows_max)?;
        is_first = false;
    }
    Ok(rows)
}

/// A column walked row by row. An absent column has no value in any row.
#[derive(Clone)]
pub(super) struct Rows<'a, V> {
    runs: Runs<'a, V>,
    left: u64,
    value: Option<V>,
    is_absent: bool,
}

impl<'a, V: RunValue<'a>> Rows<'a, V> {
    pub(super) fn new(column: &'a [u8]) -> Self {
        Self {
            runs: Runs::new(column),
            left: 0,
            value: None,
            is_absent: column.is_empty(),
        }
    }

    pub(super) fn next_row(&mut self) -> Result<Option<V>, GateRefusal> {
        if self.is_absent {
            return Ok(None);
        }
        if self.left == 0 {
            let run = self
                .runs
                .next_run()?
                .ok_or(GateRefusal::Malformed("a column is too short"))?;
            self.left = run.count;
            self.value = run.value;
        }
        self.left -= 1;
        Ok(self.value)
    }

    pub(super) fn next_value(&mut self) -> Result<V, GateRefusal> {
        self.next_row()?
            .ok_or(GateRefusal::Malformed("a value is missing"))
    }
}

/// A column of differences, walked row by row as the running sum.
#[derive(Clone)]
pub(super) struct DeltaRows<'a> {
    differences: Rows<'a, i64>,
    sum: i64,
}

impl<'a> DeltaRows<'a> {
    pub(super) fn new(column: &'a [u8]) -> Self {
        Self {
            differences: Rows::new(column),
            sum: 0,
        }
    }

    pub(super) fn next_row(&mut self) -> Result<Option<i64>, GateRefusal> {
        let Some(difference) = self.differences.next_row()? else {
            return Ok(None);
        };
        self.sum = self
            .sum
            .checked_add(difference)
            .ok_or(GateRefusal::Malformed("a sum overflows"))?;
        Ok(Some(self.sum))
    }

    pub(super) fn next_value(&mut self) -> Result<i64, GateRefusal> {
        self.next_row()?
            .ok_or(GateRefusal::Malformed("a value is missing"))
    }

    /// The next sum, where it must be a count or a counter.
    pub(super) fn next_unsigned(&mut self) -> Result<u64, GateRefusal> {
        u64::try_from(self.next_value()?).map_err(|_| GateRefusal::Malformed("a counter is negative"))
    }
}

/// A column of booleans, walked row by row. An absent column is `false` throughout.
#[derive(Clone)]
pub(super) struct BooleanRows<'a> {
    reader: Reader<'a>,
    left: u64,
    value: bool,
    is_absent: bool,
}

impl<'a> BooleanRows<'a> {
    pub(super) fn new(column: &'a [u8]) -> Self {
        Self {
            reader: Reader::new(column),
            left: 0,
            value: true,
            is_absent: column.is_empty(),
        }
    }

    pub(super) fn next_row(&mut self) -> Result<bool, GateRefusal> {
        if self.is_absent {
            return Ok(false);
        }
        while self.left == 0 {
            self.left = self.reader.unsigned()?;
            self.value = !self.value;
        }
        self.left -= 1;
        Ok(self.value)
    }
}
