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
