//! A copy of Nsight Systems' export with what ran, and without who ran it where.

use std::{fs, path::Path};

use rusqlite::{Connection, OpenFlags, params};

use super::{Hide, ProfileError, nsight};

/// Beginnings and whole names of tables that hold times, numbers and names of functions.
const KEPT_BEGINNINGS: [&str; 2] = ["CUPTI_ACTIVITY_KIND_", "ENUM_"];
const KEPT: [&str; 5] = [
    "NVTX_EVENTS",
    "TARGET_INFO_GPU",
    "PROFILER_OVERHEAD",
    "CUDA_GPU_MEMORY_USAGE_EVENTS",
    "CUDA_GRAPH_NODE_EVENTS",
];

/// Tables of which these rows are kept.
const KEPT_ROWS: [(&str, &str); 3] = [
    (
        "META_DATA_EXPORT",
        "name LIKE 'EXPORT_SCHEMA_VERSION%' OR name LIKE 'EXPORT_PRODUCT_%'",
    ),
    ("META_DATA_CAPTURE", "name LIKE '%CUDA_GRAPH_TRACE%'"),
    ("DIAGNOSTIC_EVENT", "text LIKE 'Not all %'"),
];

/// Columns that name a text of `StringIds` which a reader needs.
const TEXT_COLUMNS: [&str; 4] = ["demangledName", "shortName", "nameId", "textId"];

/// Columns of NVTX whose content nobody reads, and anybody may have filled.
const EMPTIED: [&str; 3] = ["jsonText", "jsonTextId", "binaryData"];

/// Writes the copy; gives the tables that were left out.
pub(super) fn without_names(path: &Path, to: &Path, hide: &Hide<'_>) -> Result<Vec<String>, ProfileError> {
    // One of an earlier capture may lie there.
    let _ = fs::remove_file(to);
    copy(path, to, hide).map_err(|error| ProfileError::Malformed {
        path: path.to_owned(),
        what: format!("it cannot be copied without its names: {error}"),
    })
}

fn copy(path: &Path, to: &Path, hide: &Hide<'_>) -> rusqlite::Result<Vec<String>> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(to, flags)?;
    connection.execute("ATTACH DATABASE ?1 AS source", [nsight::uri(path)])?;
    connection.execute_batch("PRAGMA journal_mode = MEMORY; PRAGMA trusted_schema = OFF; BEGIN;")?;
    let tables: Vec<String> = all(
        &connection,
        "SELECT name FROM source.sqlite_master WHERE type = 'table' ORDER BY name",
    )?;
    let mut left_out = Vec::new();
    let mut texts = Vec::new();
    for table in tables {
        let rows = KEPT_ROWS
            .into_iter()
            .find(|(name, _)| *name == table)
            .map(|(_, rows)| rows);
        let is_plain = table.bytes().all(|sign| sign.is_ascii_alphanumeric() || sign == b'_');
        let is_kept =
            KEPT.contains(&table.as_str()) || KEPT_BEGINNINGS.into_iter().any(|start| table.starts_with(start));
        if !is_plain || !(is_kept || rows.is_some()) {
            if table != "StringIds" {
                left_out.push(table);
            }
            continue;
        }
        let rows = rows.unwrap_or("1");
        connection.execute_batch(&format!(
            "CREATE TABLE main.{table} AS SELECT * FROM source.{table} WHERE {rows};"
        ))?;
        let columns: Vec<String> = all(&connection, &format!("SELECT name FROM pragma_table_info('{table}')"))?;
        let named = columns.iter().filter(|column| TEXT_COLUMNS.contains(&column.as_str()));
        texts.extend(named.map(|column| format!("SELECT {column} FROM main.{table}")));
        for column in columns
            .iter()
            .filter(|column| table == "NVTX_EVENTS" && EMPTIED.contains(&column.as_str()))
        {
            connection.execute_batch(&format!("UPDATE main.{table} SET {column} = NULL;"))?;
        }
        if table == "NVTX_EVENTS" && columns.iter().any(|column| column == "text") {
            hide_texts(&connection, (&table, "text"), hide)?;
        }
    }
    if !texts.is_empty() {
        let used = texts.join(" UNION ");
        // Readers look texts up by their numbers.
        connection.execute_batch(&format!(
            "CREATE TABLE main.StringIds (id INTEGER NOT NULL PRIMARY KEY, value TEXT NOT NULL);
             INSERT OR IGNORE INTO main.StringIds SELECT id, value FROM source.StringIds WHERE id IN ({used});"
        ))?;
        hide_texts(&connection, ("StringIds", "value"), hide)?;
    }
    connection.execute_batch("COMMIT; DETACH DATABASE source;")?;
    Ok(left_out)
}

/// Texts with something in them that must not be there are written anew.
fn hide_texts(connection: &Connection, (table, column): (&str, &str), hide: &Hide<'_>) -> rusqlite::Result<()> {
    let sql = format!("SELECT DISTINCT {column} FROM main.{table} WHERE {column} IS NOT NULL");
    for text in all::<String>(connection, &sql)? {
        let hidden = hide.text(&text);
        if hidden != text {
            let sql = format!("UPDATE main.{table} SET {column} = ?2 WHERE {column} = ?1");
            connection.execute(&sql, params![text, hidden])?;
        }
    }
    Ok(())
}

fn all<T: rusqlite::types::FromSql>(connection: &Connection, sql: &str) -> rusqlite::Result<Vec<T>> {
    let mut statement = connection.prepare(sql)?;
    statement.query_map([], |row| row.get(0))?.collect()
}
