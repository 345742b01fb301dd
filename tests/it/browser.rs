//! Pictures of the pages that plugins publish. They are for people: a test only sees whether anything is on them.

use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use chatplug_tests::Host;

/// Has a browser make a picture of a page of the operator listener, if there is a browser; `size` is width and height
/// in pixels.
pub(crate) fn photograph(host: &Host, path: &str, size: (u32, u32), name: &str) {
    let folder = host.data().with_file_name("browser");
    let picture = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.png"));
    let _ = std::fs::remove_file(&picture);
    let browser = Command::new("chromium")
        .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"])
        .arg(format!("--window-size={},{}", size.0, size.1))
        .arg(format!("--user-data-dir={}", folder.display()))
        .arg(format!("--screenshot={}", picture.display()))
        .arg(host.operator_url(path))
        .output();
    match browser {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            eprintln!("skipped: there is no `chromium` here that could make a picture of {name}");
        }
        browser => {
            let said = String::from_utf8_lossy(&browser.expect("the browser runs").stderr).into_owned();
            let bytes = std::fs::metadata(&picture).unwrap_or_else(|error| panic!("{error}: {said}")).len();
            assert!(bytes > 20_000, "an empty page has less: {bytes} bytes, {said}");
        }
    }
}
