//! What a comparison with the server says.

use crate::World;
use vereda_core::client::StoreVerification;
use vereda_core::sync::digest::DigestReport;

impl World {
    /// Compares a device with the server.
    pub fn compare(&mut self, device: usize, repair: bool) -> DigestReport {
        self.run(device, |client| async move {
            client.verifying().with_server(repair).await
        })
        .expect("a report")
    }

    /// Holds what is on a device against itself.
    pub fn check_store(&mut self, device: usize, repair: bool) -> StoreVerification {
        self.run(
            device,
            |client| async move { client.verifying().store(repair).await },
        )
        .expect("a report")
    }

    /// A device has exactly what a reader of its streams should have, and says so of all of them.
    pub fn assert_as_the_server(&mut self, device: usize) {
        let report = self.compare(device, false);
        assert_eq!(report.code, None, "device {device}: {report:?}");
        assert_eq!(report.skipped, 0, "device {device}: {report:?}");
        assert_eq!(report.found, 0, "device {device}: {report:?}");
        let checked = self.check_store(device, false);
        assert!(checked.is_whole(), "device {device}: {checked:?}");
    }
}

/// What can go wrong in a device's file without the engine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Planted {
    /// The last accepted change of a document is gone.
    LastChange,
    /// The first is: what builds on it does not open.
    FirstChange,
    /// A bit of a change is another.
    Bit,
    /// A document is gone, with its rows.
    Document,
    /// A record's version is another.
    Version,
    /// A record is gone.
    Record,
}

impl Planted {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::LastChange,
        Self::FirstChange,
        Self::Bit,
        Self::Document,
        Self::Version,
        Self::Record,
    ];
}

impl World {
    /// Plants something in a device's file, in the document or record at a place among them. The device is closed and
    /// opened again. Says whether there was anything to plant it in.
    pub fn plant(&mut self, device: usize, planted: Planted, place: usize) -> bool {
        self.devices[device].close();
        let file = self.device_file(device);
        let id = |table: &str, filter: &str| -> Option<Vec<u8>> {
            let count: usize = file
                .query_row(&format!("SELECT count(*) FROM {table} {filter}"), [], |row| {
                    row.get::<_, u32>(0).map(|count| count as usize)
                })
                .expect("a count");
            let place = place.checked_rem(count)?;
            let sql = format!("SELECT id FROM {table} {filter} ORDER BY id LIMIT 1 OFFSET {place}");
            Some(file.query_row(&sql, [], |row| row.get(0)).expect("an id"))
        };
        let several =
            "WHERE state = 0 AND (SELECT count(*) FROM chunk WHERE document = id AND write_n IS NULL) > 1";
        let (filter, sql) = match planted {
            Planted::LastChange => (
                several,
                "DELETE FROM chunk WHERE document = ?1 AND k = (SELECT max(k) FROM chunk WHERE document = ?1)",
            ),
            Planted::FirstChange => (
                several,
                "DELETE FROM chunk WHERE document = ?1 AND k = (SELECT min(k) FROM chunk WHERE document = ?1)",
            ),
            Planted::Bit => (
                several,
                "UPDATE chunk SET bytes = CAST(substr(bytes, 1, length(bytes) - 1) ||
                   CASE substr(bytes, -1) WHEN x'00' THEN x'01' ELSE x'00' END AS BLOB)
                 WHERE document = ?1 AND k = (SELECT max(k) FROM chunk WHERE document = ?1)",
            ),
            Planted::Document => ("WHERE state = 0", "DELETE FROM chunk WHERE document = ?1"),
            Planted::Version => (
                "WHERE accepted IS NOT NULL",
                "UPDATE patient SET version = version + 1 WHERE id = ?1",
            ),
            Planted::Record => (
                "WHERE accepted IS NOT NULL
                 AND NOT EXISTS (SELECT 1 FROM place WHERE patient = patient.id)",
                "DELETE FROM patient WHERE id = ?1",
            ),
        };
        let table = match planted {
            Planted::Version | Planted::Record => "patient",
            _ => "document",
        };
        let found = id(table, filter);
        if let Some(id) = &found {
            assert!(file.execute(sql, [id]).expect("planted") > 0, "{planted:?}");
        }
        if planted == Planted::Document
            && let Some(id) = &found
        {
            let chapter = "patient = (SELECT patient FROM document WHERE id = ?1)
                 AND compartment = (SELECT compartment FROM document WHERE id = ?1)";
            let year = "year = (SELECT year FROM document WHERE id = ?1) AND part = (SELECT part FROM document WHERE id = ?1)";
            let is_chart: bool = file
                .query_row("SELECT kind = 'chart' FROM document WHERE id = ?1", [id], |row| {
                    row.get(0)
                })
                .expect("a kind");
            let rows = match is_chart {
                true => format!("DELETE FROM chart_item WHERE {chapter}"),
                false => format!("DELETE FROM entry WHERE {chapter} AND {year}"),
            };
            file.execute(&rows, [id]).expect("rows go");
            file.execute("DELETE FROM document WHERE id = ?1", [id])
                .expect("it goes");
        }
        drop(file);
        self.devices[device].reopen().expect("it opens");
        found.is_some()
    }
}
