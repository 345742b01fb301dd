//! quality-report.
