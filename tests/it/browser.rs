//! Pictures and prints of the pages that plugins publish. They are for people: a test only sees whether anything is on them,
//! and how many sheets it takes.

use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use chatplug_tests::Host;

/// Has a browser make a picture of a page of the operator listener, if there is a browser; `size` is width and height
/// in pixels.
pub(crate) fn photograph(host: &Host, path: &str, size: (u32, u32), name: &str) {
    let size = format!("--window-size={},{}", size.0, size.1);
    let picture = made_by_browser(host, path, &format!("{name}.png"), |picture| {
        vec!["--hide-scrollbars".to_owned(), size, format!("--screenshot={picture}")]
    });
    if let Some(bytes) = picture.map(|picture| picture.len()) {
        assert!(bytes > 20_000, "an empty page has less: {bytes} bytes");
    }
}

/// Has a browser print a page of the operator listener into a file, if there is a browser; answers how many pages it has.
pub(crate) fn print(host: &Host, path: &str, name: &str) -> Option<usize> {
    let printed = made_by_browser(host, path, &format!("{name}.pdf"), |file| {
        vec!["--no-pdf-header-footer".to_owned(), format!("--print-to-pdf={file}")]
    })?;
    // `/Type /Pages` is a node above them.
    let text = String::from_utf8_lossy(&printed);
    Some(text.split("/Type /Page").skip(1).filter(|rest| !rest.starts_with('s')).count())
}

/// What a browser makes of a page: the bytes of the file; `None` if there is no browser.
fn made_by_browser(
    host: &Host,
    path: &str,
    name: &str,
    args: impl FnOnce(&str) -> Vec<String>,
) -> Option<Vec<u8>> {
    let folder = host.data().with_file_name("browser");
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_file(&file);
    let browser = Command::new("chromium")
        .args(["--headless=new", "--no-sandbox", "--disable-gpu"])
        .arg(format!("--user-data-dir={}", folder.display()))
        .args(args(&file.display().to_string()))
        .arg(host.operator_url(path))
        .output();
    match browser {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            eprintln!("skipped: there is no `chromium` here that could make {name}");
            None
        }
        browser => {
            let said = String::from_utf8_lossy(&browser.expect("the browser runs").stderr).into_owned();
            Some(std::fs::read(&file).unwrap_or_else(|error| panic!("{name}: {error}: {said}")))
        }
    }
}
