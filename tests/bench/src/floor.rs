//! The floor: raw encrypted SQLite that inserts the very rows a store came to hold, into the same tables with the
//! same indexes, in as many transactions, with nothing around it.

use crate::clinic::KEY;
use crate::measure::{processor_seconds, seconds};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use std::path::Path;
use vereda_core::store::{Location, Store, StoreKey};

type Rows = Vec<Vec<Value>>;

/// What the floor took.
pub(crate) struct Floor {
    pub(crate) seconds: f64,
    pub(crate) processor_seconds: f64,
}

fn rows(connection: &Connection, sql: &str) -> Rows {
    let mut statement = connection.prepare(sql).expect("a statement");
    let columns = statement.column_count();
    let rows = statement
        .query_map([], |row| (0..columns).map(|index| row.get(index)).collect())
        .expect("rows");
    rows.collect::<Result<_, _>>().expect("rows")
}

fn insert(connection: &Connection, table: &str, row: &[Value]) {
    let places = vec!["?"; row.len()].join(", ");
    let mut statement = connection
        .prepare_cached(&format!("INSERT INTO {table} VALUES ({places})"))
        .expect("a statement");
    statement.execute(params_from_iter(row)).expect("a row");
}

/// Inserts the rows of `filled` into a new store at `path`, in `transactions` transactions.
pub(crate) fn replay(filled: &Path, path: &Path, transactions: usize) -> Floor {
    let mut source =
        Store::open(&Location::File(filled.to_owned()), &StoreKey::new(KEY)).expect("the filled store");
    let source = source.connection();
    let by_entry = [(
        "entry",
        rows(
            source,
            "SELECT * FROM entry ORDER BY recorded_ms, patient, occurred_ms",
        ),
    )];
    let by_write = [
        (
            "outbox",
            rows(source, "SELECT * FROM outbox WHERE class = 2 ORDER BY n"),
        ),
        (
            "encoding",
            rows(source, "SELECT * FROM encoding ORDER BY n, ordinal"),
        ),
        (
            "chunk",
            rows(
                source,
                "SELECT * FROM chunk WHERE write_n IS NOT NULL ORDER BY write_n, document",
            ),
        ),
        (
            "audit",
            rows(
                source,
                "SELECT * FROM audit ORDER BY k DESC LIMIT (SELECT count(*) FROM outbox WHERE class = 2)",
            ),
        ),
    ];
    let documents = rows(source, "SELECT * FROM document");
    let counters = rows(source, "SELECT value FROM meta WHERE name = 'counters'");
    let mut target = Store::open(&Location::File(path.to_owned()), &StoreKey::new(KEY)).expect("a store");
    let target = target.connection();
    for row in &documents {
        insert(target, "document", row);
    }
    let (started, processor_started) = (seconds(), processor_seconds());
    for part in 0..transactions {
        let transaction = target
            .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
            .expect("begins");
        for (table, rows) in by_entry.iter().chain(&by_write) {
            for row in &rows[rows.len() * part / transactions..rows.len() * (part + 1) / transactions] {
                insert(&transaction, table, row);
            }
        }
        let document = &documents[part * documents.len() / transactions][0];
        let update = "UPDATE document SET chunks = chunks + 1, bytes = bytes + 1 WHERE id = ?1";
        transaction
            .prepare_cached(update)
            .expect("a statement")
            .execute([document])
            .expect("an update");
        let counter = "INSERT INTO meta VALUES ('counters', ?1) ON CONFLICT (name) DO UPDATE SET value = ?1";
        transaction
            .prepare_cached(counter)
            .expect("a statement")
            .execute(params_from_iter(&counters[0]))
            .expect("a row");
        transaction.commit().expect("commits");
    }
    Floor {
        seconds: seconds() - started,
        processor_seconds: processor_seconds() - processor_started,
    }
}

/// Inserts the timeline's rows of `filled` into a new store at `path`, in their clustered order, a thousand in a
/// transaction, as many in one read.
pub(crate) fn in_order(filled: &Path, path: &Path) -> Floor {
    let mut source =
        Store::open(&Location::File(filled.to_owned()), &StoreKey::new(KEY)).expect("the filled store");
    let mut target = Store::open(&Location::File(path.to_owned()), &StoreKey::new(KEY)).expect("a store");
    let target = target.connection();
    let mut statement = source
        .connection()
        .prepare("SELECT * FROM entry ORDER BY patient, occurred_ms, id")
        .expect("a statement");
    let columns = statement.column_count();
    let mut found = statement.query([]).expect("rows");
    let mut took = Floor {
        seconds: 0.0,
        processor_seconds: 0.0,
    };
    loop {
        let mut rows: Rows = Vec::new();
        while rows.len() < 1_000
            && let Some(row) = found.next().expect("a row")
        {
            rows.push(
                (0..columns)
                    .map(|index| row.get(index).expect("a value"))
                    .collect(),
            );
        }
        if rows.is_empty() {
            return took;
        }
        let (started, processor_started) = (seconds(), processor_seconds());
        let transaction = target
            .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
            .expect("begins");
        for row in &rows {
            insert(&transaction, "entry", row);
        }
        transaction.commit().expect("commits");
        took.seconds += seconds() - started;
        took.processor_seconds += processor_seconds() - processor_started;
    }
}
