//! The tables of Nsight Systems' `SQLite` export, read as they stand: an absent table means that nothing of its kind was recorded.

use std::{
    collections::{BTreeSet, HashMap},
    path::Path,
    rc::Rc,
};

use rusqlite::{Connection, Row};

use super::{
    ProfileError,
    database::{self, refuse_cut_off, trouble},
    ranges::Range,
};

/// Words of the export's own tables, which stand on the first page.
const OWN: [&str; 4] = [
    "TARGET_INFO_",
    "CUPTI_ACTIVITY_KIND_",
    "NVTX_EVENTS",
    "META_DATA_CAPTURE",
];

/// Major numbers of the schemas whose columns are known.
const KNOWN_SCHEMAS: [&str; 2] = ["2", "3"];

/// NVTX ranges that are pushed and popped, and those that are started and ended.
const RANGE_EVENTS: &str = "59, 60";

/// Whether a file begins as such an export.
pub(super) fn is_export_head(head: &[u8]) -> bool {
    database::is_database(head) && OWN.into_iter().any(|word| crate::profile::contains(head, word))
}

/// One kernel, copy or memset, as it was recorded.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) what: What,
    pub(super) start_ns: u64,
    pub(super) end_ns: u64,
    pub(super) device: i64,
    /// When the call that launched it began, and on which thread.
    pub(super) launch: Option<Call>,
    /// The process, as the export counts them; 0 where it does not tell.
    pub(super) process: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    Kernel {
        /// As the compiler names it, whole; one text for all its launches.
        name: Rc<str>,
        grid: [u32; 3],
        block: [u32; 3],
        /// Whether it ran as a node of a CUDA graph.
        is_node: bool,
    },
    /// A whole CUDA graph.
    Graph,
    Copy {
        /// `Host-to-Device`.
        kind: String,
        bytes: u64,
    },
    Set {
        bytes: u64,
    },
}

/// A call of the CUDA API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) start_ns: u64,
    pub(super) thread: i64,
}

/// An export that was opened.
pub(super) struct Export<'a> {
    path: &'a Path,
    connection: Connection,
    tables: BTreeSet<String>,
}

impl<'a> Export<'a> {
    /// # Errors
    /// It cannot be read, is cut off, or is no export of Nsight Systems.
    pub(super) fn open(path: &'a Path) -> Result<Self, ProfileError> {
        refuse_cut_off(path)?;
        let connection = database::connect(path).map_err(|error| trouble(path, &error))?;
        let mut export = Self {
            path,
            connection,
            tables: BTreeSet::new(),
        };
        // Tables alone: a view may run anything.
        let sql = "SELECT name FROM sqlite_master WHERE type = 'table'";
        export.tables = export.all(sql, |row| row.get(0))?.into_iter().collect();
        let is_own = |table: &String| OWN.into_iter().any(|word| table.starts_with(word));
        if export.tables.is_empty() {
            return Err(ProfileError::Empty {
                path: path.to_owned(),
                what: "tables",
                remedy: "export the report again: `nsys export --type sqlite …`".to_owned(),
            });
        }
        if !export.tables.iter().any(is_own) {
            return Err(ProfileError::Unknown { path: path.to_owned() });
        }
        Ok(export)
    }

    /// The version of its schema.
    pub(super) fn schema(&self) -> Result<Option<String>, ProfileError> {
        if !self.tables.contains("META_DATA_EXPORT") {
            return Ok(None);
        }
        let sql = "SELECT value FROM META_DATA_EXPORT WHERE name = 'EXPORT_SCHEMA_VERSION'";
        let found: Vec<Option<String>> = self.all(sql, |row| row.get(0))?;
        Ok(found.into_iter().flatten().next())
    }

    /// Columns of another schema may bear the same names and hold something else.
    ///
    /// # Errors
    /// It is none of those that are known.
    pub(super) fn refuse_unknown_schema(&self) -> Result<(), ProfileError> {
        let is_known = |schema: &str| KNOWN_SCHEMAS.contains(&schema.split('.').next().unwrap_or_default());
        match self.schema()?.filter(|schema| !is_known(schema)) {
            None => Ok(()),
            Some(schema) => Err(ProfileError::Lacks {
                path: self.path.to_owned(),
                what: format!(
                    "a schema that is known: it has {schema}, and {} are read",
                    KNOWN_SCHEMAS.join(" and ")
                ),
                remedy: "export the report with another `nsys`, or give its sums of kernels: `nsys stats --report cuda_gpu_kern_sum \
                         --format csv`"
                    .to_owned(),
            }),
        }
    }

    /// All that ran on the devices, in the order of the tables.
    pub(super) fn events(&self) -> Result<Vec<Event>, ProfileError> {
        let calls = self.calls()?;
        let mut events = self.kernels(&calls)?;
        events.extend(self.graphs(&calls)?);
        events.extend(self.copies(&calls)?);
        events.extend(self.sets(&calls)?);
        Ok(events)
    }

    fn kernels(&self, calls: &Calls) -> Result<Vec<Event>, ProfileError> {
        let table = "CUPTI_ACTIVITY_KIND_KERNEL";
        let Some(columns) = self.columns(table)? else {
            return Ok(Vec::new());
        };
        let name = if columns.contains("demangledName") {
            "demangledName"
        } else {
            "shortName"
        };
        self.refuse_lacking(
            table,
            &columns,
            &[name, "gridX", "gridY", "gridZ", "blockX", "blockY", "blockZ"],
        )?;
        let node = optional(&columns, "graphNodeId");
        let names = self.texts()?;
        let unnamed: Rc<str> = "(no name)".into();
        let sql = self.sql(
            table,
            &columns,
            &format!("{name}, gridX, gridY, gridZ, blockX, blockY, blockZ, {node}"),
        )?;
        self.all(&sql, |row| {
            Event::of(row, calls, |row| {
                let node: Option<i64> = row.get(LATER + 7)?;
                Ok(What::Kernel {
                    name: names.get(&row.get::<_, i64>(LATER)?).unwrap_or(&unnamed).clone(),
                    grid: [row.get(LATER + 1)?, row.get(LATER + 2)?, row.get(LATER + 3)?],
                    block: [row.get(LATER + 4)?, row.get(LATER + 5)?, row.get(LATER + 6)?],
                    is_node: node.is_some_and(|node| node != 0),
                })
            })
        })
    }

    /// The texts that other tables refer to.
    fn texts(&self) -> Result<HashMap<i64, Rc<str>>, ProfileError> {
        let texts = self.all("SELECT id, value FROM StringIds", |row| {
            Ok((row.get(0)?, Rc::from(row.get::<_, String>(1)?)))
        })?;
        Ok(texts.into_iter().collect())
    }

    /// Launches of graphs that were recorded as one event each.
    fn graphs(&self, calls: &Calls) -> Result<Vec<Event>, ProfileError> {
        self.plain("CUPTI_ACTIVITY_KIND_GRAPH_TRACE", "NULL", calls, |_| Ok(What::Graph))
    }

    fn copies(&self, calls: &Calls) -> Result<Vec<Event>, ProfileError> {
        let kind = if self.tables.contains("ENUM_CUDA_MEMCPY_OPER") {
            "(SELECT label FROM ENUM_CUDA_MEMCPY_OPER WHERE id = copyKind)"
        } else {
            "NULL"
        };
        self.plain("CUPTI_ACTIVITY_KIND_MEMCPY", &format!("bytes, {kind}"), calls, |row| {
            Ok(What::Copy {
                bytes: row.get(LATER)?,
                kind: row
                    .get::<_, Option<String>>(LATER + 1)?
                    .unwrap_or_else(|| "Unknown".to_owned()),
            })
        })
    }

    fn sets(&self, calls: &Calls) -> Result<Vec<Event>, ProfileError> {
        self.plain("CUPTI_ACTIVITY_KIND_MEMSET", "bytes", calls, |row| {
            Ok(What::Set { bytes: row.get(LATER)? })
        })
    }

    fn plain(
        &self,
        table: &str,
        more: &str,
        calls: &Calls,
        what: impl Fn(&Row<'_>) -> rusqlite::Result<What>,
    ) -> Result<Vec<Event>, ProfileError> {
        let Some(columns) = self.columns(table)? else {
            return Ok(Vec::new());
        };
        let sql = self.sql(table, &columns, more)?;
        self.all(&sql, |row| Event::of(row, calls, &what))
    }

    /// What all tables of activities share, and what one of them has beside it.
    fn sql(&self, table: &str, columns: &BTreeSet<String>, more: &str) -> Result<String, ProfileError> {
        self.refuse_lacking(table, columns, &["start", "end", "deviceId"])?;
        Ok(format!(
            "SELECT start, \"end\", deviceId, {}, {}, {more} FROM {table}",
            optional(columns, "correlationId"),
            optional(columns, "globalPid")
        ))
    }

    /// When the host launched what, by process and correlation.
    fn calls(&self) -> Result<Calls, ProfileError> {
        let table = "CUPTI_ACTIVITY_KIND_RUNTIME";
        let Some(columns) = self.columns(table)? else {
            return Ok(Calls::new());
        };
        self.refuse_lacking(table, &columns, &["start", "correlationId"])?;
        let thread = optional(&columns, "globalTid");
        // The first of several calls of one correlation comes last, and stays.
        let sql = format!(
            "SELECT correlationId, {thread}, start FROM {table} WHERE correlationId IS NOT NULL ORDER BY start DESC"
        );
        let calls = self.all(&sql, |row| {
            let thread: i64 = row.get::<_, Option<i64>>(1)?.unwrap_or(0);
            let start_ns = row.get(2)?;
            Ok(((process_of(thread), row.get(0)?), Call { start_ns, thread }))
        })?;
        Ok(calls.into_iter().collect())
    }

    /// NVTX ranges that have an end.
    pub(super) fn ranges(&self) -> Result<Vec<Range>, ProfileError> {
        let table = "NVTX_EVENTS";
        let Some(columns) = self.columns(table)? else {
            return Ok(Vec::new());
        };
        self.refuse_lacking(table, &columns, &["start", "end", "eventType"])?;
        let registered = if columns.contains("textId") && self.tables.contains("StringIds") {
            "(SELECT value FROM StringIds WHERE id = textId)"
        } else {
            "NULL"
        };
        let (text, thread) = (optional(&columns, "text"), optional(&columns, "globalTid"));
        let sql = format!(
            "SELECT start, \"end\", {thread}, COALESCE({text}, {registered}) FROM {table} \
             WHERE \"end\" IS NOT NULL AND eventType IN ({RANGE_EVENTS})"
        );
        let ranges = self.all(&sql, |row| {
            let thread: i64 = row.get::<_, Option<i64>>(2)?.unwrap_or(0);
            Ok(Range {
                start_ns: row.get(0)?,
                end_ns: row.get(1)?,
                thread,
                process: process_of(thread),
                name: row.get::<_, Option<String>>(3)?.unwrap_or_default(),
            })
        })?;
        Ok(ranges.into_iter().filter(|range| !range.name.is_empty()).collect())
    }

    /// When the profiler itself worked.
    pub(super) fn overheads(&self) -> Result<Vec<(u64, u64)>, ProfileError> {
        if self.columns("PROFILER_OVERHEAD")?.is_none() {
            return Ok(Vec::new());
        }
        self.all("SELECT start, \"end\" FROM PROFILER_OVERHEAD", |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
    }

    /// Names of the devices of these numbers.
    pub(super) fn devices(&self, used: &BTreeSet<i64>) -> Result<Vec<String>, ProfileError> {
        let Some(columns) = self.columns("TARGET_INFO_GPU")? else {
            return Ok(Vec::new());
        };
        if !columns.contains("id") || !columns.contains("name") {
            return Ok(Vec::new());
        }
        let all: Vec<(i64, Option<String>)> = self.all("SELECT id, name FROM TARGET_INFO_GPU ORDER BY id", |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
        let used = all.into_iter().filter(|(id, _)| used.contains(id));
        Ok(used.filter_map(|(_, name)| name).collect())
    }

    /// What the profiler says of events that it lost.
    pub(super) fn troubles(&self) -> Result<Vec<String>, ProfileError> {
        if self.columns("DIAGNOSTIC_EVENT")?.is_none() {
            return Ok(Vec::new());
        }
        let sql = "SELECT DISTINCT text FROM DIAGNOSTIC_EVENT WHERE severity = 3 \
                   OR (severity = 2 AND text LIKE 'Not all %' AND (text LIKE '%CUDA%' OR text LIKE '%NVTX%')) LIMIT 5";
        self.all(sql, |row| row.get(0))
    }

    /// The columns of a table; `None` where there is no such table.
    fn columns(&self, table: &str) -> Result<Option<BTreeSet<String>>, ProfileError> {
        if !self.tables.contains(table) {
            return Ok(None);
        }
        let found = self.all(&format!("PRAGMA table_info({table})"), |row| row.get(1))?;
        Ok(Some(found.into_iter().collect()))
    }

    fn refuse_lacking(&self, table: &str, columns: &BTreeSet<String>, needed: &[&str]) -> Result<(), ProfileError> {
        let Some(lacking) = needed.iter().find(|column| !columns.contains(**column)) else {
            return Ok(());
        };
        let schema = self.schema()?.unwrap_or_else(|| "unknown".to_owned());
        Err(ProfileError::Lacks {
            path: self.path.to_owned(),
            what: format!("the column `{lacking}` of its table `{table}` (its schema is {schema})"),
            remedy: "export the report with Nsight Systems 2021 to 2025, whose schemas are 2 and 3: `nsys export --type sqlite …`"
                .to_owned(),
        })
    }

    fn all<T>(&self, sql: &str, of: impl Fn(&Row<'_>) -> rusqlite::Result<T>) -> Result<Vec<T>, ProfileError> {
        let read = || {
            let mut statement = self.connection.prepare(sql)?;
            statement
                .query_map([], |row| of(row))?
                .collect::<rusqlite::Result<Vec<T>>>()
        };
        read().map_err(|error| trouble(self.path, &error))
    }
}

type Calls = HashMap<(i64, i64), Call>;

/// Where the columns begin that not all tables have.
const LATER: usize = 5;

impl Event {
    fn of(row: &Row<'_>, calls: &Calls, what: impl Fn(&Row<'_>) -> rusqlite::Result<What>) -> rusqlite::Result<Self> {
        let correlation: Option<i64> = row.get(3)?;
        let process = process_of(row.get::<_, Option<i64>>(4)?.unwrap_or(0));
        let launch = correlation.and_then(|correlation| calls.get(&(process, correlation)));
        Ok(Self {
            what: what(row)?,
            start_ns: row.get(0)?,
            end_ns: row.get(1)?,
            device: row.get(2)?,
            launch: launch.copied(),
            process,
        })
    }
}

/// Threads and processes carry the number of their process above 24 bits of their own.
const fn process_of(global: i64) -> i64 {
    global >> 24
}

fn optional(columns: &BTreeSet<String>, name: &'static str) -> &'static str {
    if columns.contains(name) { name } else { "NULL" }
}
