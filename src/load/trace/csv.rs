//! Traces as comma-separated values with a header line: Azure's and `BurstGPT`'s.

use super::{Asked, Row, time};

/// What a problem says of a column that is there more than once.
pub(super) const TWICE: &str = "two columns";

/// Where the columns of a file stand.
pub(super) struct Columns {
    time: Column,
    input: Column,
    output: Column,
    has_dates: bool,
}

/// A column's place, from 0, and its name.
struct Column {
    at: usize,
    name: &'static str,
}

impl Columns {
    /// `TIMESTAMP,ContextTokens,GeneratedTokens`: Azure's LLM inference traces, with dates.
    ///
    /// # Errors
    /// A column is missing.
    pub(super) fn azure(header: &str) -> Result<Self, String> {
        Self::find(header, ["TIMESTAMP", "ContextTokens", "GeneratedTokens"], true)
    }

    /// `Timestamp,Model,Request tokens,Response tokens,…`: `BurstGPT`, with seconds.
    ///
    /// # Errors
    /// A column is missing.
    pub(super) fn burst_gpt(header: &str) -> Result<Self, String> {
        Self::find(header, ["Timestamp", "Request tokens", "Response tokens"], false)
    }

    fn find(header: &str, names: [&'static str; 3], has_dates: bool) -> Result<Self, String> {
        let titles = fields(header);
        let column = |name: &'static str| {
            let is_named = |title: &String| title.trim().eq_ignore_ascii_case(name);
            let at = titles.iter().position(is_named);
            if titles.iter().filter(|title| is_named(title)).count() > 1 {
                return Err(format!("the first line names {TWICE} `{name}`; rename or remove one"));
            }
            at.map(|at| Column { at, name })
                .ok_or_else(|| format!("the first line names no column `{name}`"))
        };
        let [time, input, output] = names;
        Ok(Self {
            time: column(time)?,
            input: column(input)?,
            output: column(output)?,
            has_dates,
        })
    }

    /// Reads a line.
    ///
    /// # Errors
    /// What is wrong with it, and what to give.
    pub(super) fn row(&self, line: &str) -> Result<Row, String> {
        let fields = fields(line);
        let field = |column: &Column| {
            let text = fields.get(column.at).map(|text| text.trim());
            text.ok_or_else(|| format!("it has no `{}`: only {} fields", column.name, fields.len()))
        };
        let time = field(&self.time)?;
        let at_ns = if self.has_dates {
            time::date_ns(time, self.time.name)?
        } else {
            let seconds: f64 = time.parse().map_err(|_| wrong(&self.time, time, "seconds"))?;
            time::nanoseconds(time::Unit::Seconds, seconds, self.time.name)?
        };
        let input = tokens(&self.input, field(&self.input)?)?;
        if input == 0 {
            return Err(wrong(&self.input, "0", "at least 1"));
        }
        Ok(Row {
            at_ns,
            asked: Asked::Tokens(input),
            output_tokens: Some(tokens(&self.output, field(&self.output)?)?),
            extras: None,
        })
    }
}

/// A count of tokens; some files write whole numbers as `7.0`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "looked at: whole, and from 0 to the largest u32"
)]
fn tokens(column: &Column, text: &str) -> Result<u32, String> {
    let number: f64 = text.parse().map_err(|_| wrong(column, text, "a number of tokens"))?;
    if number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number) {
        Ok(number as u32)
    } else {
        Err(wrong(column, text, "a whole number of tokens"))
    }
}

fn wrong(column: &Column, value: &str, wanted: &str) -> String {
    format!("`{}` is `{value}`; give {wanted}", column.name)
}

/// The fields of one line; a field in quotes may hold commas.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    for sign in line.chars() {
        match sign {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            _ => {
                if let Some(field) = fields.last_mut() {
                    field.push(sign);
                }
            }
        }
    }
    fields
}
