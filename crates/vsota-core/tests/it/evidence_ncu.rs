//! Real exports of Nsight Compute: what they hold, and what cannot be compared.

use std::fs;

use vsota_core::evidence::ncu;
use vsota_fixtures::samples;

/// A part of the file's name, launches, metrics of the first, its duration in ns (0: none).
const REAL: &[(&str, usize, usize, u64)] = &[
    ("copy_blocked", 1, 70, 21_058_944),
    ("ncu.details", 1, 30, 6_750),
    ("ncu.metrics", 1, 5, 6_750),
    ("section_SpeedOfLight.csv", 1, 8, 6_750),
    ("section_SpeedOfLight_RooflineChart", 1, 3, 0),
    ("section_MemoryWorkloadAnalysis", 1, 6, 0),
    ("section_Occupancy", 1, 10, 0),
    ("section_SchedulerStats", 1, 5, 0),
];

#[test]
fn every_real_export_is_read_and_compares_with_itself_where_it_has_a_duration() {
    let Some(root) = samples("") else { return };
    let files: Vec<_> = fs::read_dir(root.join("ncu-csv")).unwrap().flatten().collect();
    assert_eq!(files.len(), REAL.len());
    for (part, launches, least, ns) in REAL {
        let file = files.iter().find(|it| it.file_name().to_str().unwrap().contains(part));
        let bytes = fs::read(file.unwrap().path()).unwrap();
        let report = ncu::read(&bytes).unwrap_or_else(|error| panic!("{part}: {error}"));
        assert_eq!(report.launches.len(), *launches, "{part}");
        let metrics = report.launches[0].metrics.len();
        assert!(metrics >= *least, "{part}: {metrics}");
        match report.side(None) {
            Ok(side) => {
                let found = report.launches[0].metrics["gpu__time_duration.sum"].value * 1e3;
                assert_eq!(found.round() as u64, *ns, "{part}");
                ncu::compare(&side, &side).unwrap();
            }
            Err(error) => {
                assert_eq!(*ns, 0, "{part}: {error}");
                assert_eq!(error.field.as_deref(), Some("gpu__time_duration.sum"), "{part}");
            }
        }
    }
}
