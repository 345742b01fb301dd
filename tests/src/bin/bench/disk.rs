//! What a sync of the disk takes under the folder that the other measurements use: it belongs to each figure.

use std::os::unix::fs::FileExt;
use std::time::Instant;

const SYNCS: u64 = 100;

/// Writes and syncs, as the store's log is written.
pub(crate) fn measure() -> anyhow::Result<()> {
    for kib in [4, 1024] {
        let file = tempfile::tempfile()?;
        let bytes = vec![1; kib << 10];
        let mut times = Vec::new();
        for number in 0..SYNCS {
            file.write_all_at(&bytes, number * bytes.len() as u64)?;
            let began = Instant::now();
            file.sync_data()?;
            times.push(began.elapsed());
        }
        times.sort_unstable();
        let folder = std::env::temp_dir();
        println!(
            "disk of {}: a sync of {kib} KiB takes {:?}, p99 {:?}",
            folder.display(),
            times[50],
            times[98]
        );
    }
    Ok(())
}
